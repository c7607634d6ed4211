//! The desk over MCP, as an agent sees it: JSON-RPC over HTTP.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::common::Desk;

struct Agent<'a> {
    desk: &'a Desk,
    client: reqwest::Client,
}

impl<'a> Agent<'a> {
    fn of(desk: &'a Desk) -> Self {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { desk, client }
    }

    async fn ask(&self, method: &str, params: Value) -> Value {
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let request = self.client.post(format!("{}/mcp", self.desk.url));
        let answer = request
            .header("accept", "application/json, text/event-stream")
            .header("mcp-protocol-version", "2025-06-18")
            .json(&body)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{method}");
        let mut answer: Value = answer.json().await.unwrap();
        assert!(answer.get("error").is_none(), "{method}: {answer}");
        answer["result"].take()
    }

    /// Whether it was a mistake, and what was said.
    async fn call(&self, tool: &str, arguments: Value) -> (bool, String) {
        let result = self
            .ask("tools/call", json!({"name": tool, "arguments": arguments}))
            .await;
        let said = result["content"][0]["text"].as_str().unwrap().to_owned();
        (result["isError"] == true, said)
    }

    async fn read(&self, tool: &str, arguments: Value) -> Value {
        let (mistake, said) = self.call(tool, arguments).await;
        assert!(!mistake, "{tool}: {said}");
        serde_json::from_str(&said).unwrap()
    }
}

#[tokio::test]
async fn an_agent_finds_the_tools_with_what_they_are_asked_with() {
    let desk = Desk::open("default").await;
    let agent = Agent::of(&desk);
    let client = json!({"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}});
    let welcome = agent.ask("initialize", client).await;
    assert_eq!(welcome["serverInfo"]["name"], "helpdesk");
    let tools = agent.ask("tools/list", json!({})).await;
    let tools = tools["tools"].as_array().unwrap();
    let find = |name: &str| tools.iter().find(|tool| tool["name"] == name).unwrap();
    for tool in tools {
        assert!(
            tool["description"]
                .as_str()
                .is_some_and(|text| text.ends_with('.')),
            "{tool}"
        );
    }
    let close = &find("close_ticket")["inputSchema"];
    assert_eq!(close["required"], json!(["ticket_id"]), "{close}");
    let update = find("update_ticket")["inputSchema"].to_string();
    assert!(
        update.contains("\"resolved\"") && update.contains("\"urgent\""),
        "{update}"
    );
    desk.stop().await;
}

#[tokio::test]
async fn what_an_agent_does_with_the_tools_is_in_the_database_in_the_name_of_who_is_signed_in() {
    let desk = Desk::open("default").await;
    let agent = Agent::of(&desk);
    let found = agent
        .read("list_tickets", json!({"status": "open", "per_page": 2}))
        .await;
    assert_eq!(found["tickets"].as_array().unwrap().len(), 2);
    let id = found["tickets"][0]["id"].as_i64().unwrap();
    let tag = agent.read("list_tags", json!({})).await["tags"][0]["name"].clone();
    let helper = agent.read("list_agents", json!({})).await["agents"][0]["id"].clone();
    agent
        .read(
            "reply_to_ticket",
            json!({"ticket_id": id, "body": "It is on its way."}),
        )
        .await;
    agent
        .read(
            "assign_ticket",
            json!({"ticket_id": id, "agent_id": helper}),
        )
        .await;
    agent
        .read("tag_ticket", json!({"ticket_id": id, "tag": tag}))
        .await;
    agent
        .read(
            "update_ticket",
            json!({"ticket_id": id, "priority": "urgent"}),
        )
        .await;
    let closed = agent.read("close_ticket", json!({"ticket_id": id})).await;
    assert_eq!(
        (
            &closed["status"],
            &closed["priority"],
            &closed["assignee"]["id"]
        ),
        (&json!("closed"), &json!("urgent"), &helper)
    );
    // The same as the API shows, and the desk's own log of it.
    let shown = desk.get(&format!("/tickets/{id}")).await;
    assert_eq!(shown, closed);
    let comment = shown["comments"].as_array().unwrap().last().unwrap();
    assert_eq!(
        (&comment["author"], &comment["body"], &comment["visibility"]),
        (
            &json!("Robin Vale"),
            &json!("It is on its way."),
            &json!("public")
        )
    );
    let log = agent
        .read("list_activity", json!({"entity": "ticket", "id": id}))
        .await;
    assert_eq!(log["activity"][0]["actor"], "Robin Vale");
    let nobody = agent
        .read("assign_ticket", json!({"ticket_id": id, "agent_id": null}))
        .await;
    assert_eq!(nobody["assignee"], Value::Null);
    desk.stop().await;
}

#[tokio::test]
async fn handbook_customers_and_overview_are_read() {
    let desk = Desk::open("default").await;
    let agent = Agent::of(&desk);
    let overview = agent.read("desk_overview", json!({})).await;
    assert_eq!(
        (&overview["signed_in"], &overview["today"]),
        (&json!("Robin Vale"), &json!("2026-11-16"))
    );
    let articles = agent.read("list_articles", json!({})).await;
    let slug = &articles["articles"][0]["slug"];
    let article = agent.read("get_article", json!({"slug": slug})).await;
    assert!(
        article["body"]
            .as_str()
            .is_some_and(|body| !body.is_empty())
    );
    let customers = agent
        .read("list_customers", json!({"plan": "business"}))
        .await;
    let id = &customers["customers"][0]["id"];
    let changed = agent
        .read(
            "update_customer",
            json!({"customer_id": id, "phone": "+49 30 1"}),
        )
        .await;
    assert_eq!(changed["phone"], "+49 30 1");
    desk.stop().await;
}

#[tokio::test]
async fn mistakes_are_told_to_the_agent_and_change_nothing() {
    let desk = Desk::open("default").await;
    let agent = Agent::of(&desk);
    let before = desk.get("/activity").await["total"].clone();
    for (tool, arguments, expected) in [
        ("get_ticket", json!({"ticket_id": 99_999}), "does not exist"),
        ("list_tickets", json!({"status": "opne"}), "open, pending"),
        ("list_tickets", json!({"statuss": "open"}), "statuss"),
        (
            "reply_to_ticket",
            json!({"ticket_id": 1, "body": "  "}),
            "body",
        ),
        (
            "tag_ticket",
            json!({"ticket_id": 1, "tag": "no such tag"}),
            "no such tag",
        ),
    ] {
        let (mistake, said) = agent.call(tool, arguments).await;
        assert!(mistake && said.contains(expected), "{tool}: {said}");
    }
    assert_eq!(desk.get("/activity").await["total"], before);
    desk.stop().await;
}

#[tokio::test]
async fn only_loopback_names_reach_the_tools() {
    let desk = Desk::open("default").await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let request = client.post(format!("{}/mcp", desk.url));
    let answer = request
        .header("host", "evil.example")
        .header("accept", "application/json, text/event-stream")
        .json(&json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    desk.stop().await;
}
