//! Why a condition is as it is, and what to do about it.
//!
//! Invariant: data only. The table of docs/conditions.md is made from here by `cargo xtask generate`.

/// Makes [`Reason`] and all that is told of each from one table: the name, what it means, what to do.
macro_rules! reasons {
    ($($name:ident: $means:literal => $remedy:literal;)*) => {
        /// Why a condition is as it is: a closed set, so that alerts and documentation can rely on it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Reason {
            $(#[doc = $means] $name,)*
        }

        impl Reason {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The `reason` of a condition, an Event and a metric label.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)*
                }
            }

            /// What it means, for people.
            #[must_use]
            pub const fn means(self) -> &'static str {
                match self {
                    $(Self::$name => $means,)*
                }
            }

            /// What people do about it.
            #[must_use]
            pub const fn remedy(self) -> &'static str {
                match self {
                    $(Self::$name => $remedy,)*
                }
            }
        }
    };
}

reasons! {
    Valid:
        "the spec can be rolled out"
        => "nothing";
    Invalid:
        "the spec, or a Secret, ConfigMap or class it refers to, has faults: also a value that is no text or has white space around it, and a certificate of yours that has expired, is for other hosts or does not fit its key"
        => "what the message says for each; what serves goes on serving";
    HostConflict:
        "a host of this stack belongs to another AppStack, of whatever namespace: it is served there already, or was wanted there first"
        => "choose another host (`domain`, `edge.hosts`), or take it away from the AppStack that the message names, and this one goes on by itself; what serves goes on serving";
    ApiError:
        "the API server refused a request or did not answer. What it refuses for good (an invalid object, a quota, a policy, a missing right) stalls the stack and is tried again every 5 minutes, or at once when the spec changes"
        => r#"nothing, if it passes; else read the message, which has the API server's own words: a missing right names verb and resource, "field is immutable" an object that somebody replaced by another one: delete that, and it is made again"#;
    NameTaken:
        "an object of a child's name belongs to somebody else"
        => "delete that object, and the roll-out goes on by itself; or name the stack otherwise";
    RecordUnreadable:
        "something that was written down of the stack cannot be read, for example because a later version of the operator wrote it; nothing is changed"
        => "run that version, or delete the record that the message names once you know that it is not needed";
    RecordLost:
        "what the release that serves is made of is not written down any more"
        => "wait: what is requested is rolled out beside it";
    OlderTemplates:
        "the operator would make other objects of what serves today"
        => "nothing; or the command of the message";
    Suspended:
        "`suspend` is true"
        => "set it to false";
    RolledOut:
        "everything is as the spec says"
        => "nothing";
    RollingOut:
        "the gate of a stage is shut, and work goes on"
        => "wait; the message names the stage and what it waits for";
    StageFailed:
        "a stage failed, and nothing more happens without a change"
        => "what the message says of the stage";
    AwaitingApproval:
        "`rollout.approval` is `Required`"
        => "read what it changes, then `kubectl annotate aps shop --overwrite appstack.dev/approve=shop-6f9c2d01ab` with the name of the release that the message says";
    ImagesPending:
        "the release is approved, and its images are being pulled"
        => "wait";
    ValuesChanging:
        "values of Secrets or ConfigMaps have changed, and more of them may; their release begins when they have rested for 2 seconds"
        => "wait";
    WaitingForTurn:
        "settings of the operator that reach pods have changed, and stacks follow one after the other"
        => "wait; the message names the stack whose turn it is";
    Hibernated:
        "`hibernate` is true: nothing runs"
        => "set it to false";
    RolledBack:
        "the requested release failed; the one before serves"
        => "the message says why; see [the life of a release](releases.md)";
    RollingBack:
        "the requested release failed, and the one before is on its way back"
        => "wait";
    Available:
        "it is as the spec says"
        => "nothing";
    NotNeeded:
        "this stack has none of it, or nothing waits for it"
        => "nothing";
    WaitingForEarlierStage:
        "an earlier stage is not done"
        => "look at the stage that `Ready` names";
    SpecNotSeenYet:
        "the controller of an object has not seen the change yet"
        => "wait";
    ReplicasOutdated:
        "pods of the old template are being replaced"
        => "wait";
    ReplicasPending:
        "pods are not ready yet: they start, or wait for what the message names, such as a container that is to end before the others start"
        => "wait; within seconds the cause takes its place, where there is one";
    ImagePullFailed:
        "the image cannot be pulled, by a pod or for a release that is approved and has not begun"
        => "correct the image or version; give pull secrets in `podTemplate.spec.imagePullSecrets`; of an earlier image, whose assets are served on, the message says how to go without";
    ImageRunsAsRoot:
        "the image would run as root"
        => "give the image a numeric USER, or name the user by `backend.runAsUser` or `frontend.runAsUser`; the message says which, and how to allow it";
    ContainerConfigInvalid:
        "the container cannot be made"
        => "the message names the key or the setting";
    ContainerCrashing:
        "the container ends again and again"
        => r#"read its last lines in the message. "Read-only file system": it writes elsewhere than to `/tmp`; name the folder in `backend.writablePaths` or `frontend.writablePaths`. Container `assets`: `frontend.assets.path` is no folder of the image, or the image has no `sh`"#;
    OutOfMemory:
        "the container was killed because it used more memory than its limit"
        => "raise `resources.limits.memory`, or find the leak";
    ProbeFailing:
        "the container runs and does not answer its probe well; the message says what was asked and what came back"
        => "correct `healthPath`, `healthPort` or `port`; let the program listen on `0.0.0.0` and not on `127.0.0.1` alone";
    VolumeNotMounted:
        "a volume cannot be mounted"
        => "the message names it";
    PodEvicted:
        "a node ended the pod, for example because it was short of memory"
        => "another pod takes its place by itself; give the pods `resources` that hold, or the cluster more nodes";
    NodeLost:
        "the node of a pod does not answer, so that nobody knows whether the pod still runs"
        => "bring the node back, or give it up by the command of the message; until then a pod of the database is not started elsewhere, so that two never write";
    Soaking:
        "the new pods are ready and must stay so for `rollout.soak`"
        => "wait";
    Unschedulable:
        "no node takes the pod, or its volume claim gets no volume"
        => "lower `resources`, or add nodes; the message names the claim and its storage class; the pod is replaced by itself";
    PodsRefused:
        "pods cannot be made, for example for a quota"
        => "the message names it";
    ProgressDeadlineExceeded:
        "new pods did not become ready within `rollout.progressDeadline`"
        => "correct the spec; the release before is restored by itself";
    DataInUse:
        "something else changes the data: a release that came later, `hibernate` or a deletion waits for it"
        => "wait; the message says what has the data, since when, and until when at most";
    ClaimDeleted:
        "the volume claim of the database was deleted, and goes as soon as no pod uses it: at the next restart of the database"
        => "save the data while the database runs; once the claim is gone a new one is made, on which role, migration and seed run again";
    DatabaseUnreachable:
        "the external database, which is asked before anything of a release runs, does not answer or does not let the application in; it is asked for `rollout.progressDeadline` while that may pass, and once for what only people can change. What serves goes on serving"
        => r#"correct the key that the message names in the Secret of `database.external`; once the server is corrected instead: `kubectl annotate aps shop --overwrite appstack.dev/retry="$(date)"`"#;
    JobRunning:
        "the Job of the database role, of the question to an external database, of the migration or of the seed runs"
        => "wait";
    JobRetrying:
        "an attempt failed, the next one follows"
        => "read the last lines in the message";
    JobFailed:
        "the role, the migration or the seed failed, and the old release serves; or a run of a schedule did"
        => r#"correct it and release again, or run the schedule again by the command of the message; or repeat it as it is: `kubectl annotate aps shop --overwrite appstack.dev/retry="$(date)"`"#;
    JobDeadlineExceeded:
        "the container of the role's, the migration's or the seed's Job did not start within `rollout.progressDeadline`, or ran longer than its `timeout`, and the old release serves; or a run of a schedule took longer than its `timeout`"
        => "the message says which, and the cause: correct it, give it more time, or repeat it as `JobFailed` says";
    CertificatePending:
        "cert-manager was asked for a certificate (`edge.tls.issuer`), and nothing is known to be in the way. Visitors are led to the hosts of the new spec once it is there; those of before keep theirs"
        => "wait; it takes seconds to a minute";
    CertificateNotIssued:
        "the certificate of `edge.tls.issuer` does not come: the issuer is missing or not ready, a host cannot be proven, or the authority refuses. Visitors keep the hosts and the certificate of before"
        => "the message has what cert-manager or the authority says, and what to do: mostly a DNS record, or the issuer's own settings; `kubectl describe certificate,order,challenge` shows all of it";
    RoutePending:
        "the Gateway of `edge.gateway` has said nothing yet of the routes of new hosts, or Traefik may not know yet of `edge.timeouts`"
        => "wait; it takes a second or three";
    RouteRefused:
        "the Gateway of `edge.gateway` does not take the routes of new hosts. Routes of before stay as they were; where those are refused later, the message of `EdgeReady` says so and it stays True"
        => "the message says which listener refuses them and why; whoever looks after the Gateway changes that, or `edge.gateway` names another one";
    PublicCheckPending:
        "the release is asked through its public address and has not answered well yet, or not for 5 seconds"
        => "wait; the message says what came back last";
    PublicCheckFailed:
        "the application answered badly at its public address, three times in a row; good answers that do not last for 5 seconds do not end the row"
        => "the message has the status and the start of the answer: correct the application or its settings and release again";
    PublicCheckUnreachable:
        "the way to the public address did not work in time"
        => "the message names the step that fails: the name in DNS, the load balancer, the certificate, or the route of the ingress controller";
}
