//! Items: each user has a list, and nobody sees another's.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::app::{App, ITEMS, each};

#[tokio::test]
async fn an_item_that_is_added_is_listed_first() {
    let app = App::start().await;
    let ada = app.user("ada").await;
    ada.item("old").await;
    let added = ada
        .post(ITEMS, json!({"title": "new", "description": "more"}))
        .await;
    let item = added.expect(StatusCode::CREATED);
    assert_eq!(
        (&item["title"], &item["description"]),
        (&json!("new"), &json!("more"))
    );
    assert_eq!(item["owner_id"], ada.id().await);
    assert_eq!(item["created_at"], item["updated_at"]);
    assert!(item["created_at"].as_str().unwrap().ends_with('Z'));

    let list = ada.get(ITEMS).await.expect(StatusCode::OK);
    assert_eq!(list["count"], 2);
    assert_eq!(list["data"][0], item);
    assert_eq!(list["data"][1]["description"], Value::Null);
}

#[tokio::test]
async fn an_item_is_read_replaced_and_deleted() {
    let app = App::start().await;
    let ada = app.user("ada").await;
    let new = json!({"title": "old", "description": "old"});
    let old = ada.post(ITEMS, new).await.expect(StatusCode::CREATED);
    let path = format!("{ITEMS}{}", old["id"].as_str().unwrap());
    assert_eq!(ada.get(&path).await.expect(StatusCode::OK), old);

    let item = ada
        .put(&path, json!({"title": "new"}))
        .await
        .expect(StatusCode::OK);
    assert_eq!(
        (&item["title"], &item["description"]),
        (&json!("new"), &Value::Null)
    );
    assert_eq!(
        (&item["id"], &item["created_at"]),
        (&old["id"], &old["created_at"])
    );
    assert!(item["updated_at"].as_str() > old["updated_at"].as_str());
    assert_eq!(ada.get(&path).await.expect(StatusCode::OK), item);

    let done = ada.delete(&path).await;
    assert_eq!(done.expect(StatusCode::NO_CONTENT), Value::Null);
    ada.get(&path).await.problem(StatusCode::NOT_FOUND);
    ada.put(&path, json!({"title": "t"}))
        .await
        .problem(StatusCode::NOT_FOUND);
    ada.delete(&path).await.problem(StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn another_users_item_is_not_there_not_even_for_a_superuser() {
    let app = App::start().await;
    let ada = app.user("ada").await;
    let path = ada.item("private").await;
    for eve in [app.user("eve").await, app.root().await] {
        eve.get(&path).await.problem(StatusCode::NOT_FOUND);
        eve.put(&path, json!({"title": "stolen"}))
            .await
            .problem(StatusCode::NOT_FOUND);
        eve.delete(&path).await.problem(StatusCode::NOT_FOUND);
        let found = eve.get(&format!("{ITEMS}?search=private")).await;
        assert_eq!(
            found.expect(StatusCode::OK),
            json!({"data": [], "count": 0})
        );
    }
    let item = ada.get(&path).await.expect(StatusCode::OK);
    assert_eq!(item["title"], "private");
}

#[tokio::test]
async fn a_page_of_the_list_tells_the_count_of_all() {
    let app = App::start().await;
    let ada = app.user("ada").await;
    for number in 1..=5 {
        ada.item(&number.to_string()).await;
    }
    let page = ada
        .get(&format!("{ITEMS}?skip=1&limit=2"))
        .await
        .expect(StatusCode::OK);
    assert_eq!(each(&page, "title"), ["4", "3"]);
    assert_eq!(page["count"], 5);
    let beyond = ada.get(&format!("{ITEMS}?skip={}", i64::MAX)).await;
    assert_eq!(
        beyond.expect(StatusCode::OK),
        json!({"data": [], "count": 5})
    );
}

#[tokio::test]
async fn a_search_finds_text_in_both_fields_and_takes_each_character_as_it_is() {
    let app = App::start().await;
    let ada = app.user("ada").await;
    for (title, description) in [
        ("50% off", "a"),
        ("50 percent", "b_c"),
        (r"back\slash", "Ümlaut"),
    ] {
        let item = json!({"title": title, "description": description});
        ada.post(ITEMS, item).await.expect(StatusCode::CREATED);
    }
    for (search, titles) in [
        ("50", vec!["50 percent", "50% off"]),
        ("OFF", vec!["50% off"]),
        ("%25", vec!["50% off"]),
        ("_", vec!["50 percent"]),
        ("b.c", vec![]),
        ("%5C", vec![r"back\slash"]),
        ("%25%5C", vec![]),
        ("'; drop table items; --", vec![]),
        ("++%20", vec![r"back\slash", "50 percent", "50% off"]),
    ] {
        let search = search.replace(' ', "+");
        let found = ada.get(&format!("{ITEMS}?search={search}")).await;
        let found = found.expect(StatusCode::OK);
        assert_eq!(each(&found, "title"), titles, "{search}");
        assert_eq!(found["count"], titles.len());
    }
    let page = ada.get(&format!("{ITEMS}?search=50&skip=1&limit=1")).await;
    let page = page.expect(StatusCode::OK);
    assert_eq!(
        (each(&page, "title"), &page["count"]),
        (vec![json!("50% off")], &json!(2))
    );
}

#[tokio::test]
async fn the_longest_values_fit() {
    let app = App::start().await;
    let ada = app.user("ada").await;
    let (title, description) = ("🎈".repeat(255), "🎈".repeat(2000));
    let item = json!({"title": title, "description": description});
    let item = ada.post(ITEMS, item).await.expect(StatusCode::CREATED);
    assert_eq!(
        (&item["title"], &item["description"]),
        (&json!(title), &json!(description))
    );
}

#[tokio::test]
async fn every_broken_rule_is_a_problem_with_the_name_of_the_field() {
    let app = App::start().await;
    let ada = app.user("ada").await;
    let path = ada.item("unchanged").await;
    for (item, fields) in [
        (json!({"title": ""}), vec!["title"]),
        (json!({"title": "ü".repeat(256)}), vec!["title"]),
        (
            json!({"title": "a\0b", "description": "\0"}),
            vec!["description", "title"],
        ),
        (
            json!({"title": "t", "description": "ü".repeat(2001)}),
            vec!["description"],
        ),
    ] {
        let answer = ada.post(ITEMS, item.clone()).await;
        assert_eq!(answer.faults(StatusCode::UNPROCESSABLE_ENTITY), fields);
        let answer = ada.put(&path, item).await;
        assert_eq!(answer.faults(StatusCode::UNPROCESSABLE_ENTITY), fields);
    }
    for query in [
        "skip=-1",
        "limit=0",
        "limit=101",
        "search=%00",
        &format!("search={}", "a".repeat(256)),
    ] {
        let answer = ada.get(&format!("{ITEMS}?{query}")).await;
        let field = query.split('=').next().unwrap();
        assert_eq!(answer.faults(StatusCode::UNPROCESSABLE_ENTITY), [field]);
    }
    let list = ada.get(ITEMS).await.expect(StatusCode::OK);
    assert_eq!(each(&list, "title"), ["unchanged"]);
}
