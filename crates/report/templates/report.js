"use strict";
// The table of trials. Every text of a task, an agent or a service becomes a text node and nothing else.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const { rows, details, words } = data;
  // What acts instead of showing (controls, marks that turn the direction of a line) becomes visible.
  const visible = (text) => text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/g, "\ufffd");
  const tasks = data.tasks.map(visible);
  const variants = data.variants.map(visible);
  const messages = data.messages.map(visible);
  const STATUS = ["unscored", "failed", "cancelled", "pending", "passed"];
  const GLYPH = { unscored: "!", failed: "✕", cancelled: "–", pending: "…", passed: "✓" };
  const PHASES = ["provision", "agent", "verify", "teardown"];
  const PAGE = 150;
  const PRINT_ROWS = 5000;
  const total = data.count;
  for (const [name, column] of Object.entries(rows)) {
    if ("all" in column) rows[name] = Array(total).fill(column.all);
    else if ("from" in column) rows[name] = Array.from({ length: total }, (_, at) => column.from + at);
  }
  const $ = (id) => document.getElementById(id);
  const body = $("body");
  const hasGroups = data.trials_per_task > 1;
  const hasVariants = variants.length > 1;
  const hasCost = rows.cost.some((cost) => cost !== null);
  const columns = [["status", "status"], ["task", "task"]];
  if (hasVariants) columns.push(["variant", "variant"]);
  columns.push(["score", "score"], ["agent", "agent"], ["time", "time"]);
  if (hasCost) columns.push(["cost", "cost"]);
  const NUMERIC = new Set(["score", "cost"]);
  const scale = Math.max(1, data.p95_ms);

  /** What only an opened row shows; absent for most rows of a very large run. */
  function detailOf(at) {
    const packed = details[at];
    if (!packed) return null;
    const [why, exit, signal, instance, env, set, teardown, verification, steps, tokensIn, tokensOut, started, queue, provision, agent, verify, release, dir, session, sent] = packed;
    const word = (index) => (index < 0 ? null : words[index]);
    return {
      why: word(why), exit, signal, instance, env: word(env), data: word(set), teardown: word(teardown), verification, steps,
      tokens: tokensIn === null && tokensOut === null ? null : (tokensIn ?? "?") + " / " + (tokensOut ?? "?"),
      started, dir, session: session === null ? null : visible(session) + (sent < 0 ? "" : ", " + word(sent)), ms: { queue, provision, agent, verify, teardown: release },
    };
  }
  function el(name, className, text) {
    const node = document.createElement(name);
    if (className) node.className = className;
    if (text !== undefined) node.textContent = text;
    return node;
  }
  function duration(ms) {
    if (ms === null || ms === undefined) return "";
    const s = Math.floor(ms / 1000);
    const two = (n) => String(n).padStart(2, "0");
    if (ms < 1000) return ms + " ms";
    if (ms < 60000) return s + "." + Math.floor((ms % 1000) / 100) + " s";
    if (ms < 3600000) return Math.floor(s / 60) + " min " + two(s % 60) + " s";
    return Math.floor(s / 3600) + " h " + two(Math.floor((s % 3600) / 60)) + " min";
  }
  const score = (value) => (value === null ? "" : String(Math.round(value * 1000) / 1000));
  const dollars = (value) => (value === null ? "" : "$" + value.toFixed(value !== 0 && Math.abs(value) < 0.1 ? 4 : 2));
  const count = (n, word) => n.toLocaleString("en").replaceAll(",", " ") + " " + word + (n === 1 ? "" : "s");

  // What the page shows is what the address says, so that a link to it shows the same.
  const DEFAULTS = { status: "all", q: "", variant: "", cause: "", sort: "status", group: hasGroups ? "1" : "0", trial: "" };
  let state = { ...DEFAULTS };
  function readHash() {
    state = { ...DEFAULTS };
    for (const [key, value] of new URLSearchParams(location.hash.slice(1))) {
      if (key in state) state[key] = value;
    }
    if (!hasGroups) state.group = "0";
  }
  function writeHash() {
    const params = new URLSearchParams();
    for (const key of Object.keys(DEFAULTS)) if (state[key] !== DEFAULTS[key]) params.set(key, state[key]);
    const hash = params.toString();
    history.replaceState(null, "", hash ? "#" + hash : location.pathname + location.search);
  }
  function change(part) {
    state = { ...state, trial: "", ...part };
    writeHash();
    show();
  }

  const search = Array(total);
  function haystack(at) {
    if (search[at] === undefined) {
      const message = rows.message[at] < 0 ? "" : messages[rows.message[at]];
      const { instance, session } = detailOf(at) || {};
      search[at] = [tasks[rows.task[at]], message, instance || "", session || ""].join("\n").toLowerCase();
    }
    return search[at];
  }
  const isRetried = (at) => rows.attempts[at] > 1;
  const CHIPS = [
    ["all", "all", () => true],
    ...["passed", "failed", "unscored", "cancelled", "pending"].map((name) => [name, name, (at) => STATUS[rows.status[at]] === name]),
    ["retried", "retried", isRetried],
    ["slow", "slow", (at) => total >= 20 && rows.total[at] !== null && rows.total[at] > data.p95_ms],
    ["flaky", "flaky", (at) => flaky.has(groupOf[at])],
  ];

  // Trials of one task under one variant.
  const groups = [];
  const groupOf = Array(total);
  const flaky = new Set();
  {
    const known = new Map();
    for (let at = 0; at < total; at++) {
      const key = rows.task[at] * variants.length + rows.variant[at];
      if (!known.has(key)) { known.set(key, groups.length); groups.push([]); }
      groupOf[at] = known.get(key);
      groups[groupOf[at]].push(at);
    }
    groups.forEach((members, index) => {
      const has = (name) => members.some((at) => STATUS[rows.status[at]] === name);
      if (has("passed") && has("failed")) flaky.add(index);
    });
  }

  // An absent value is last, whichever the direction.
  function compare(a, b, sign) {
    if (a === null || b === null) return (a === null) - (b === null);
    return (a < b ? -1 : a > b ? 1 : 0) * sign;
  }
  const mean = (list) => (list.length ? list.reduce((sum, value) => sum + value, 0) / list.length : null);
  const present = (values) => values.filter((value) => value !== null);
  const keyOf = {
    status: (at) => rows.status[at],
    task: (at) => tasks[rows.task[at]],
    variant: (at) => rows.variant[at],
    score: (at) => rows.score[at],
    agent: (at) => words[rows.agent[at]],
    time: (at) => rows.total[at],
    cost: (at) => rows.cost[at],
  };
  const passShare = (members) => members.filter((at) => STATUS[rows.status[at]] === "passed").length / members.length;
  function groupKey(column, members) {
    const values = present(members.map(keyOf[column]));
    if (column === "status") return Math.min(...values) + passShare(members) / 2;
    if (column === "task" || column === "variant" || column === "agent") return values[0];
    return mean(values);
  }

  let items = [];
  let rendered = 0;
  function select() {
    const q = state.q.trim().toLowerCase();
    const chip = (CHIPS.find(([name]) => name === state.status) || CHIPS[0])[2];
    const matching = [];
    for (let at = 0; at < total; at++) {
      if (state.variant !== "" && variants[rows.variant[at]] !== state.variant) continue;
      if (state.cause !== "" && rows.cause[at] !== Number(state.cause)) continue;
      if (!chip(at)) continue;
      if (q && !haystack(at).includes(q)) continue;
      matching.push(at);
    }
    const sign = state.sort.startsWith("-") ? -1 : 1;
    const column = state.sort.replace("-", "");
    const key = keyOf[column] ? column : "status";
    if (state.group === "1") {
      const chosen = [...new Set(matching.map((at) => groupOf[at]))];
      const keys = new Map(chosen.map((group) => [group, groupKey(key, groups[group])]));
      chosen.sort((a, b) => compare(keys.get(a), keys.get(b), sign) || a - b);
      items = chosen.map((group) => ({ group }));
    } else {
      matching.sort((a, b) => compare(keyOf[key](a), keyOf[key](b), sign) || a - b);
      items = matching.map((at) => ({ at }));
    }
    return matching.length;
  }

  function statusCell(name) {
    const cell = el("td", "status");
    const glyph = el("span", "glyph " + name, GLYPH[name]);
    glyph.setAttribute("aria-hidden", "true");
    cell.append(glyph, " " + name);
    return cell;
  }
  function nameButton(text) {
    const button = el("button", "task-name", text);
    button.type = "button";
    button.setAttribute("aria-expanded", "false");
    return button;
  }
  function segments(values, full) {
    const bar = el("span", "bar");
    for (const phase of PHASES) {
      if (!values[phase]) continue;
      const part = el("i", "phase-" + phase);
      part.style.width = Math.min(100, (100 * values[phase]) / full) + "%";
      part.title = phase + " " + duration(values[phase]);
      bar.append(part);
    }
    return bar;
  }
  function timeCell(ms, values) {
    const cell = el("td");
    if (ms === null) return cell;
    const time = el("span", "time");
    time.append(el("span", "", duration(ms)), segments(values || { agent: ms }, Math.max(scale, ms)));
    cell.append(time);
    return cell;
  }
  function toggles(row, button, open) {
    row.addEventListener("click", (event) => {
      // Selecting text is not a click on the row.
      if (event.target.closest("a") || String(getSelection())) return;
      const isOpen = button.getAttribute("aria-expanded") === "true";
      button.setAttribute("aria-expanded", String(!isOpen));
      row.classList.toggle("open", !isOpen);
      open(!isOpen);
    });
  }

  function trialRow(at, isSub) {
    const row = el("tr", isSub ? "row sub" : "row");
    row.dataset.at = at;
    const name = STATUS[rows.status[at]];
    const task = el("td");
    const label = isSub ? "trial " + rows.trial[at] : tasks[rows.task[at]] + (hasGroups ? " #" + rows.trial[at] : "");
    const button = nameButton(label);
    task.append(button);
    if (isRetried(at)) task.append(el("span", "badge", rows.attempts[at] + " attempts"));
    if (rows.message[at] >= 0) task.append(el("span", "why", messages[rows.message[at]].split("\n", 1)[0]));
    row.append(statusCell(name), task);
    if (hasVariants) row.append(el("td", "words", isSub ? "" : variants[rows.variant[at]]));
    row.append(el("td", "num", score(rows.score[at])), el("td", "words", words[rows.agent[at]]), timeCell(rows.total[at], (detailOf(at) || {}).ms));
    if (hasCost) row.append(el("td", "num", dollars(rows.cost[at])));
    let detail = null;
    toggles(row, button, (isOpen) => {
      if (isOpen) row.after((detail = detailRow(at)));
      else if (detail) detail.remove();
      state.trial = isOpen ? String(at) : "";
      writeHash();
    });
    return row;
  }
  function groupRow(group) {
    const members = groups[group];
    const row = el("tr", "row");
    row.dataset.group = group;
    const names = members.map((at) => STATUS[rows.status[at]]);
    const passes = names.filter((name) => name === "passed").length;
    const worst = STATUS[Math.min(...members.map((at) => rows.status[at]))];
    const status = el("td", "status");
    const marks = el("span", "marks");
    marks.setAttribute("role", "img");
    marks.setAttribute("aria-label", names.join(", "));
    for (const name of names.slice(0, 12)) marks.append(el("span", name, GLYPH[name]));
    status.append(marks, " " + passes + "/" + names.length);
    const task = el("td");
    const button = nameButton(tasks[rows.task[members[0]]]);
    task.append(button);
    if (flaky.has(group)) task.append(el("span", "badge", "flaky"));
    const first = members.find((at) => STATUS[rows.status[at]] === worst && rows.message[at] >= 0);
    if (first !== undefined) task.append(el("span", "why", messages[rows.message[first]].split("\n", 1)[0]));
    row.append(status, task);
    if (hasVariants) row.append(el("td", "words", variants[rows.variant[members[0]]]));
    const agents = [...new Set(members.map((at) => words[rows.agent[at]]))];
    const average = (values) => mean(present(values));
    const ms = average(members.map((at) => rows.total[at]));
    row.append(el("td", "num", score(average(members.map((at) => rows.score[at])))), el("td", "words", agents.join(", ")));
    row.append(timeCell(ms === null ? null : Math.round(ms), averagePhases(members)));
    if (hasCost) row.append(el("td", "num", dollars(average(members.map((at) => rows.cost[at])))));
    let children = [];
    toggles(row, button, (isOpen) => {
      if (isOpen) {
        children = members.map((at) => trialRow(at, true));
        row.after(...children);
      } else {
        for (const child of children) {
          if (child.nextSibling && child.nextSibling.className === "detail") child.nextSibling.remove();
          child.remove();
        }
        if (members.includes(Number(state.trial)) && state.trial !== "") {
          state.trial = "";
          writeHash();
        }
      }
    });
    return row;
  }
  function averagePhases(members) {
    const known = members.map(detailOf).filter((detail) => detail);
    if (!known.length) return null;
    return Object.fromEntries(PHASES.map((phase) => [phase, mean(known.map((detail) => detail.ms[phase] || 0))]));
  }

  function fact(list, label, value) {
    if (value === null || value === undefined || value === "") return;
    const pair = el("div");
    const shown = el("dd");
    shown.append(el("bdi", "", String(value)));
    pair.append(el("dt", "", label), shown);
    list.append(pair);
  }
  function link(text, path) {
    const anchor = el("a", "", text);
    // A relative path below the run's folder; each part is encoded, so it cannot become another scheme or host.
    anchor.setAttribute("href", "./" + path.split("/").map(encodeURIComponent).join("/"));
    return anchor;
  }
  function detailRow(at) {
    const row = el("tr", "detail");
    const cell = el("td");
    cell.colSpan = columns.length;
    row.append(cell);
    const detail = detailOf(at);
    if (rows.message[at] >= 0) {
      const message = el("pre", "message");
      message.append(el("bdi", "", messages[rows.message[at]]));
      cell.append(message);
    }
    if (detail) {
      const spent = PHASES.reduce((sum, phase) => sum + (detail.ms[phase] || 0), 0);
      if (spent) {
        const bar = segments(detail.ms, spent);
        const list = el("ul", "phases");
        for (const phase of ["queue", ...PHASES]) {
          if (detail.ms[phase] === null || detail.ms[phase] === undefined) continue;
          const entry = el("li");
          entry.append(el("span", "swatch phase-" + phase), phase + " " + duration(detail.ms[phase]));
          list.append(entry);
        }
        cell.append(bar, list);
      }
      const list = el("dl");
      fact(list, "why no score", detail.why);
      fact(list, "agent", words[rows.agent[at]] + (detail.exit === null ? "" : ", exit code " + detail.exit) + (detail.signal === null ? "" : ", signal " + detail.signal));
      fact(list, "instance", detail.instance);
      fact(list, "environment", detail.env);
      fact(list, "data", detail.data);
      fact(list, "teardown", detail.teardown);
      fact(list, "verification", detail.verification);
      fact(list, "session", detail.session);
      fact(list, "steps", detail.steps);
      fact(list, "tokens in / out", detail.tokens);
      fact(list, "started", detail.started);
      fact(list, "attempts", rows.attempts[at]);
      cell.append(list);
      if (rows.attempts[at] > 0) {
        const links = el("p", "links");
        links.append(link("folder", detail.dir + "/"), link("stdout", detail.dir + "/stdout.log"), link("stderr", detail.dir + "/stderr.log"), link("verifier", detail.dir + "/verifier.json"));
        cell.append(links);
      }
    } else {
      cell.append(el("p", "small", "This run is large: the details of this trial are in results.json."));
    }
    const command = el("p", "command");
    command.append(el("code", "", "harness show " + quote(data.run) + " " + quote(data.tasks[rows.task[at]])));
    cell.append(command);
    return row;
  }
  /** One word of a POSIX shell; what cannot be shown is written as bytes. */
  function quote(text) {
    if (/^[A-Za-z0-9_.\/:=,@%+][A-Za-z0-9_.\/:=,@%+-]*$/.test(text)) return text;
    if (visible(text) === text && !/[\t\n]/.test(text)) return "'" + text.replaceAll("'", "'\\''") + "'";
    const hex = (byte) => "\\x" + byte.toString(16).padStart(2, "0");
    const shown = [...text].map((c) => {
      if (c === "'" || c === "\\") return "\\" + c;
      return visible(c) === c && !/[\t\n]/.test(c) ? c : [...new TextEncoder().encode(c)].map(hex).join("");
    });
    return "$'" + shown.join("") + "'";
  }

  function renderMore(limit) {
    const fragment = document.createDocumentFragment();
    const end = Math.min(items.length, rendered + limit);
    for (; rendered < end; rendered++) {
      const item = items[rendered];
      fragment.append(item.group === undefined ? trialRow(item.at, false) : groupRow(item.group));
    }
    body.append(fragment);
    const left = items.length - rendered;
    $("more").hidden = left === 0;
    $("more").textContent = left ? count(left, "row") + " more below" : "";
  }
  function renderHead() {
    $("head").replaceChildren(...columns.map(([key, label]) => {
      const cell = el("th", NUMERIC.has(key) ? "num" : "");
      cell.scope = "col";
      const button = el("button", "", label);
      button.type = "button";
      button.addEventListener("click", () => change({ sort: state.sort === key ? "-" + key : key }));
      if (state.sort === key) cell.setAttribute("aria-sort", "ascending");
      if (state.sort === "-" + key) cell.setAttribute("aria-sort", "descending");
      cell.append(button);
      return cell;
    }));
  }
  const chipCounts = new Map(CHIPS.map(([name, , test]) => {
    let n = 0;
    for (let at = 0; at < total; at++) n += test(at) ? 1 : 0;
    return [name, n];
  }));
  function renderChips() {
    const chips = CHIPS.filter(([name]) => name === "all" || chipCounts.get(name) > 0).map(([name, label]) => {
      const chip = el("button", "chip");
      chip.type = "button";
      chip.setAttribute("aria-pressed", String(state.status === name));
      if (GLYPH[name]) {
        const glyph = el("span", "glyph " + name, GLYPH[name]);
        glyph.setAttribute("aria-hidden", "true");
        chip.append(glyph);
      }
      chip.append(label, el("b", "", String(chipCounts.get(name))));
      chip.addEventListener("click", () => change({ status: state.status === name ? "all" : name }));
      return chip;
    });
    if (state.cause !== "" && data.causes[state.cause] !== undefined) {
      const chip = el("button", "chip", "cause: " + data.causes[state.cause] + " ✕");
      chip.type = "button";
      chip.setAttribute("aria-pressed", "true");
      chip.addEventListener("click", () => change({ cause: "" }));
      chips.push(chip);
    }
    $("chips").replaceChildren(...chips);
  }
  function show() {
    const matching = select();
    renderHead();
    renderChips();
    $("group").checked = state.group === "1";
    if ($("search").value !== state.q) $("search").value = state.q;
    $("variant").value = state.variant;
    const what = matching === total ? count(total, "trial") : matching + " of " + count(total, "trial");
    $("shown").textContent = state.group === "1" ? what + " in " + count(items.length, hasVariants ? "task and variant" : "task").replace("variants", "variant pairs") : what;
    body.replaceChildren();
    rendered = 0;
    renderMore(PAGE);
    if (!items.length) {
      const cell = el("td", "small", "No trial matches.");
      cell.colSpan = columns.length;
      const row = el("tr");
      row.append(cell);
      body.append(row);
    }
  }
  /** Opens the trial that the address names. */
  function reveal() {
    const at = Number(state.trial);
    if (state.trial === "" || !(at in rows.task)) return;
    const place = items.findIndex((item) => item.at === at || item.group === groupOf[at]);
    if (place < 0) return;
    if (place >= rendered) renderMore(place - rendered + 1);
    const click = (selector) => { const row = body.querySelector(selector); if (row) row.click(); return row; };
    if (items[place].group !== undefined) click('tr[data-group="' + groupOf[at] + '"]');
    const row = click('tr[data-at="' + at + '"]');
    if (row) row.scrollIntoView({ block: "center" });
  }

  if (hasVariants) {
    const every = el("option", "", "all variants");
    every.value = "";
    $("variant").replaceChildren(every, ...variants.map((name) => { const option = el("option", "", name); option.value = name; return option; }));
    $("variant").hidden = false;
    $("variant").addEventListener("change", (event) => change({ variant: event.target.value }));
  }
  $("group-label").hidden = !hasGroups;
  $("group").addEventListener("change", (event) => change({ group: event.target.checked ? "1" : "0" }));
  let typing = 0;
  $("search").addEventListener("input", (event) => {
    clearTimeout(typing);
    typing = setTimeout(() => change({ q: event.target.value }), 120);
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && !/^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement.tagName)) {
      event.preventDefault();
      $("search").focus();
    }
  });
  addEventListener("hashchange", () => {
    if (location.hash === "#trials") return;
    readHash();
    show();
    reveal();
    if (state.cause !== "") $("trials").scrollIntoView();
  });
  addEventListener("beforeprint", () => renderMore(PRINT_ROWS));
  new IntersectionObserver((entries) => {
    if (entries.some((entry) => entry.isIntersecting) && rendered < items.length) renderMore(PAGE);
  }, { rootMargin: "800px" }).observe($("more"));
  readHash();
  show();
  reveal();
})();
