//! Adminer and Mailpit beside a local stack: the one reads, and writes where it is asked to; the other has the mail that the application sent; and
//! how they are costs no release anything.

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;

use crate::support::{ROLL_OUT, SHOP, SOON, World, condition, release, story};

const SUPERUSER: &str = "admin@example.com";
const TOOLS: &str =
    "spec: {superuser: admin@example.com, tools: {adminer: true, adminerAccess: null, mail: true}}";
/// Asks the database as Adminer does, and prints what it says.
const ASK: &str = r#"
$file = require "/var/www/html/plugins-enabled/appstack.php";
[$server, $user, $password] = $file->credentials();
[$host, $port] = explode(":", $server);
$database = @pg_connect(sprintf("host=%s port=%s user=%s password='%s' dbname=%s", $host, $port, $user, $password, getenv("DATABASE_NAME")));
foreach (array_slice($argv, 1) as $statement) {
  $answer = @pg_query($database, $statement);
  $rows = $answer && pg_num_fields($answer) ? pg_fetch_all_columns($answer) : [];
  echo $answer ? json_encode($rows) : strtok(pg_last_error($database), "\n"), "\n";
}
"#;

#[test]
fn developers_look_into_the_database_and_read_the_mail() {
    story("tools", async |world| {
        let stack = world.document(SHOP).with(TOOLS);
        world.apply(&stack).await;
        let served = release(&world.ready("shop").await).to_owned();
        are_ready(world).await;
        let before = pods(world).await;

        let page = world.kubectl(&page("http://127.0.0.1:8080/")).await;
        assert!(page.contains("document.forms[0].submit()"), "{page}");
        let password = world.secret("shop-generated", "ADMINER_PASSWORD").await;
        assert!(!page.contains(&password), "the browser gets the password");
        let told = asks(
            world,
            &[
                "SELECT count(*) FROM users",
                "INSERT INTO items (title) VALUES ('x')",
                "SET default_transaction_read_only = off",
                "DELETE FROM users",
                "CREATE TABLE mine ()",
            ],
        )
        .await;
        assert_eq!(told[0], "[\"1\"]");
        assert!(told[1].contains("read-only transaction"), "{told:?}");
        for refused in &told[3..] {
            assert!(refused.contains("permission denied"), "{told:?}");
        }

        reads_its_mail(world).await;

        let writes = stack.with("spec: {tools: {adminerAccess: ReadWrite}}");
        world.apply(&writes).await;
        world
            .until("Adminer may write", ROLL_OUT, async || {
                let told = answer(world, &["CREATE TABLE mine ()"]).await?;
                told[0].starts_with('[').then_some(())
            })
            .await;
        let owner = "SELECT tableowner FROM pg_tables WHERE tablename = 'mine'";
        assert_eq!(asks(world, &[owner]).await, ["[\"app\"]"]);
        world.apply(&stack).await;
        world
            .until("Adminer may not write any more", ROLL_OUT, async || {
                let told = answer(world, &["DROP TABLE mine"]).await?;
                told[0].contains("read-only").then_some(())
            })
            .await;
        assert_eq!(pods(world).await, before);
        assert_eq!(release(&world.ready("shop").await), served);
    });
}

#[test]
fn a_tool_that_does_not_come_up_holds_up_nothing() {
    story("tools-name", async |world| {
        world
            .kubectl(&["create", "service", "clusterip", "shop-mail", "--tcp=80:80"])
            .await;
        world.apply(&world.document(SHOP).with(TOOLS)).await;
        world.ready("shop").await;
        let words = ["shop-mail", "Service"];
        world
            .says("shop", "ToolsReady", "NameTaken", &words, SOON * 3)
            .await;
        world.kubectl(&["delete", "service", "shop-mail"]).await;
        are_ready(world).await;

        world
            .apply(
                &world
                    .document(SHOP)
                    .with("spec: {tools: {adminer: false, mail: false}}"),
            )
            .await;
        world
            .until("nothing of the tools is left", ROLL_OUT, async || {
                let left = world.kubectl(&LEFT).await;
                let stack = world.stack("shop").await;
                let is_gone = left.trim().is_empty() && condition(&stack, "ToolsReady").is_none();
                is_gone.then_some(())
            })
            .await;
    });
}

/// What there is of tools in the namespace.
const LEFT: [&str; 5] = [
    "get",
    "deployments,services,configmaps,networkpolicies,pods",
    "--selector=app.kubernetes.io/component in (adminer, mail)",
    "--output=name",
    "--ignore-not-found",
];

async fn are_ready(world: &World) {
    world
        .until("the tools are ready", ROLL_OUT, async || {
            let stack = world.stack("shop").await;
            let ready = condition(&stack, "ToolsReady")?;
            (ready.status == "True").then_some(())
        })
        .await;
}

/// What the database says to each statement of Adminer's role.
async fn asks(world: &World, statements: &[&str]) -> Vec<String> {
    let answer = answer(world, statements).await;
    answer.expect("Adminer runs and is let in")
}

/// The same; `None` while its pod is on its way.
async fn answer(world: &World, statements: &[&str]) -> Option<Vec<String>> {
    let mut kubectl = world.cluster.kubectl().unwrap();
    kubectl.args(["--namespace", &world.namespace]);
    kubectl.args([
        "exec",
        "deployment/shop-adminer",
        "--",
        "php",
        "-r",
        ASK,
        "--",
    ]);
    let output = kubectl.args(statements).output().await.unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let said = said.lines().filter(|it| !it.trim().is_empty());
    let said = said.map(str::to_owned).collect();
    output.status.success().then_some(said)
}

/// Somebody has forgotten the password, and the mail that helps is caught.
async fn reads_its_mail(world: &World) {
    let visitor = world.visitor("shop").await;
    visitor
        .reads(world, &format!("{}/api/v1/version", visitor.api))
        .await;
    visitor.has_lost_password(SUPERUSER).await;
    let address = format!(
        "/api/v1/namespaces/{}/services/shop-mail:http/proxy/api/v1/messages",
        world.namespace
    );
    world
        .until("the mail is caught", SOON * 3, async || {
            let caught = world.kubectl(&["get", "--raw", &address]).await;
            let is_there = caught.contains(SUPERUSER) && caught.contains("noreply@example.com");
            is_there.then_some(())
        })
        .await;
}

/// Prints a page that Adminer serves.
fn page(url: &str) -> [&str; 7] {
    const GET: &str = "echo file_get_contents($argv[1]);";
    [
        "exec",
        "deployment/shop-adminer",
        "--",
        "php",
        "-r",
        GET,
        url,
    ]
}

/// The pods of the application.
async fn pods(world: &World) -> Vec<String> {
    let parts =
        "appstack.dev/stack=shop,app.kubernetes.io/component in (backend, frontend, database)";
    let mut pods: Vec<_> = world.list::<Pod>(parts).await;
    pods.retain(|it| it.metadata.deletion_timestamp.is_none());
    pods.iter().map(ResourceExt::name_any).collect()
}
