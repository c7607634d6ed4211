"""What the suite leaves out, and why. An entry that fits nothing any more fails the check of the page."""

# pydantic calls these; they are functions of a model, but nobody's interface.
HOOKS = {"Task.validate_key_format", "Task.set_created_at", "Task.serialize_created_at"}

_TRACK = "`flt track` sends a person's coding sessions to the hosted service; a Fleet of environments has no part in it"

# A member -> the reason.
MEMBERS = {
    "fleet.exceptions.FleetFacetError": "nothing in the SDK raises it",
    "fleet.exceptions.FleetConfigurationError": "nothing in the SDK raises it",
    "fleet.exceptions.FleetError": "the base of all others; nothing raises it itself",
    "flt.login": "opens the hosted login page",
}
# The beginning of commands' names -> the reason.
COMMANDS = {"track/": _TRACK}

# A module and all below it -> the reason.
MODULES = {
    "fleet.track": _TRACK,
    "fleet.agent": "driven as a whole by `flt eval run --local`",
    "fleet.proxy": "logs an agent's traffic to model vendors; speaks to no Fleet",
    "fleet.utils": "an agent's own tools (a browser, a log); speaks to no Fleet",
    "fleet.auth": "stored logins of the hosted login page; used through `flt`: shown, refreshed, forgotten",
    "fleet.runner_auth": "plumbing of `env.instance`, which every case with an instance uses",
    "fleet.base": "plumbing of `Fleet`",
    "fleet.instance.base": "plumbing of `env.instance`",
    "fleet.global_client": "used through `fleet.configure`, `get_client`, `reset_client`",
    "fleet.cli": "driven as commands, see `flt`",
    "fleet.models": "data",
    "fleet.instance.models": "data",
    "fleet.verifiers": "works on local files or on source text and makes no request; the SDK's own tests are for it",
    "fleet._async": "the same modules again, in the asynchronous column",
}
OBJECTS = {
    "fleet.judge.JudgeResult": "data",
}


def module(name):
    """The reason why a module is left out; None if it is not."""
    for prefix, reason in MODULES.items():
        if name == prefix or name.startswith(f"{prefix}."):
            return reason
    return None


def member(full):
    """The reason why a member is left out; None if it is not."""
    if full in MEMBERS:
        return MEMBERS[full]
    return next((reason for prefix, reason in COMMANDS.items() if full.startswith(f"flt.{prefix}")), None)
