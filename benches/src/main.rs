//! What is claimed about speed, measured. `benches/run` builds and prints all tables; `benches/run lives 200`, or one
//! of `calls`, `process` and `engine`; the number says how many lives a row has.
#![expect(clippy::print_stdout, reason = "a program that prints tables")]
#![expect(clippy::disallowed_methods, reason = "a stopwatch needs the wall clock")]
#![expect(clippy::unwrap_used, reason = "a benchmark that can't go on ends")]

mod calls;
mod engine;
mod lives;
mod measure;
mod process;
mod world;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let wanted = |name: &str| {
        let named = arguments
            .iter()
            .filter(|argument| argument.parse::<usize>().is_err());
        named.clone().count() == 0 || named.clone().any(|argument| argument == name)
    };
    let lives = arguments.iter().find_map(|argument| argument.parse().ok());
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        if arguments.first().is_some_and(|first| first == "flushes") {
            return lives::one_after_another(lives.unwrap_or(300)).await;
        }
        if wanted("calls") {
            calls::print().await;
        }
        if wanted("lives") {
            lives::print(lives.unwrap_or(1000)).await;
        }
        if wanted("process") {
            process::print().await;
        }
        if wanted("engine") {
            engine::print().await;
        }
    });
}
