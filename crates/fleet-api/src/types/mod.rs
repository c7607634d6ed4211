//! The words of the wire: what the Fleet API sends and receives, one file per topic.
//!
//! Both sides use these types, the client in this crate and the embedded server in another, so
//! every one of them can be written as well as read. Reading is lenient: unknown fields are
//! ignored, optional fields may be absent or `null`, unknown status words are kept, and numbers
//! that arrive as text or with a fraction are understood where nothing is lost by it.

mod account;
mod auth;
mod environment;
mod heartbeat;
mod id;
mod instance;
mod job;
mod judge;
mod lease;
mod lenient;
pub mod manager;
mod region;
mod run;
mod session;
mod task;
mod verifier;
mod word;

pub use account::Account;
pub use auth::{RefreshBody, RefreshResponse};
pub use environment::Environment;
pub use heartbeat::{HeartbeatBody, HeartbeatResponse};
pub use id::{
    EnvKey, ExecutionId, InstanceId, InvalidId, JobId, MAX_ID_BYTES, ProfileId, ProjectKey,
    RequestId, RunId, SessionId, SummaryId, TaskKey, TeamId, VerifierId,
};
pub use instance::{
    CREATED_FROM_SDK, CreateInstanceBody, Instance, InstanceQuery, InstanceStatus, InstanceUrls,
    ManagerUrls,
};
pub use job::{
    CreateJobBody, CreatedJob, Job, JobList, JobLogBody, JobMode, JobQuery, JobStatus, JobSummary,
    SummarizeJobBody, SummarizedJob, SummaryStatus,
};
pub use judge::{Attachment, Criterion, GradeBody, GradeResponse, GradedCriterion, Rubric};
pub use lease::{CreateRequest, CreateState, ExtendTtlBody, TtlBody};
pub use region::Region;
pub use run::{Run, RunActivity, RunQuery};
pub use session::{
    IngestBody, IngestResponse, JobSessions, SessionInfo, SessionMessage, SessionStatus,
    SessionTask, SessionVerification, TaskSessions, TraceJob, TraceJobBody, TraceLogBody,
    Transcript, TranscriptMessage,
};
pub use task::{
    Project, ProjectList, TaskList, TaskResponse, TaskVersionQuery, UpdateTaskBody, VerifierData,
};
pub use verifier::{
    ExecuteResponse, ExecuteVerifierBody, VerifierCheck, VerifierFailure, VerifierRecord,
};
