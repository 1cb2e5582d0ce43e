//! What ends up in the log, and in which order.

use serde_json::{Value, json as value};

use crate::bench::{Bench, Spec};

/// Makes lines comparable: times and durations become `#`.
fn masked(lines: &[String]) -> Vec<String> {
    lines.iter().map(|line| mask(line)).collect()
}

fn mask(line: &str) -> String {
    let mut out = String::new();
    for part in line.split_inclusive(['\t', ' ']) {
        let word = part.trim_end();
        let time = word.len() == 24 && word.ends_with('Z') && word.contains('T');
        let number = word.parse::<f64>().is_ok() && !line.starts_with("keep");
        out += &if time || number { part.replacen(word, "#", 1) } else { part.to_owned() };
    }
    out
}

const ID: &str = "00000000-0000-0000-0000-000000000001";

#[tokio::test]
async fn lines_of_all_kinds_come_in_the_order_in_which_they_were_written() {
    let bench = Bench::new().await;
    let text = r"
import logging, sys
log = logging.getLogger()
log.setLevel(logging.INFO)
print('at init')
def handler(event, context):
  print('first')
  log.info('second\nof two lines')
  print('third', file=sys.stderr)
  log.warning('fourth')
  sys.stdout.write('no end')
  return 1
";
    let mut up = bench.up(Spec::python(text)).await;
    up.ask("{}").await.unwrap();
    let expected = [
        "INIT_START Runtime Version: python:3.11.v1\tRuntime Version ARN: ".to_owned(),
        "at init".to_owned(),
        format!("START RequestId: {ID} Version: $LATEST"),
        "first".to_owned(),
        format!("[INFO]\t#\t{ID}\tsecond\nof two lines"),
        "third".to_owned(),
        format!("[WARNING]\t#\t{ID}\tfourth"),
        "no end".to_owned(),
        format!("END RequestId: {ID}"),
        format!(
            "REPORT RequestId: {ID}\tDuration: # ms\tBilled Duration: # ms\tMemory Size: # MB\tMax Memory Used: # MB\tInit Duration: # ms\t"
        ),
    ];
    assert_eq!(masked(&up.log()), expected);
    up.ask("{}").await.unwrap();
    assert!(!up.log().last().unwrap().contains("Init Duration"), "only the first call is cold");
}

#[tokio::test]
async fn the_stream_is_named_as_on_lambda() {
    let bench = Bench::new().await;
    let mut up = bench.up(Spec::python("def handler(e, c):\n  return c.log_stream_name\n")).await;
    let name = up.ask("{}").await.unwrap();
    let target = up.targets().pop().unwrap();
    assert_eq!(target.group, "/aws/lambda/hello");
    assert_eq!(value!(target.stream), name);
    let (day, rest) = target.stream.split_at(11);
    assert!(day.bytes().all(|b| b.is_ascii_digit() || b == b'/'), "{day}");
    let hex = rest.strip_prefix("[$LATEST]").unwrap();
    assert!(hex.len() == 32 && hex.bytes().all(|b| b.is_ascii_hexdigit()), "{hex}");
}

#[tokio::test]
async fn json_logs_of_python() {
    let bench = Bench::new().await;
    let text = r"
import logging
log = logging.getLogger('mine')
def handler(event, context):
  log.info('hello %s', 'you', extra={'more': 1})
  log.debug('not told')
  try:
    raise ValueError('bad')
  except ValueError:
    log.exception('caught')
  print('plain')
  return 1
";
    let mut spec = Spec::python(text);
    spec.json = true;
    let mut up = bench.up(spec).await;
    up.ask("{}").await.unwrap();
    let log = up.log();
    let objects: Vec<Value> = log.iter().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let kinds: Vec<_> = objects.iter().filter_map(|object| object["type"].as_str()).collect();
    assert_eq!(kinds, ["platform.initStart", "platform.start", "platform.report"]);
    let report = &objects.last().unwrap()["record"];
    assert_eq!(report["status"], "success");
    assert_eq!(report["metrics"]["memorySizeMB"], 512);
    assert!(report["metrics"]["initDurationMs"].as_f64().unwrap() > 0.0);
    let said: Vec<_> = objects.iter().filter(|object| object.get("level").is_some()).collect();
    assert_eq!(said.len(), 2, "{log:#?}");
    let head = |object: &Value| {
        value!([object["level"], object["message"], object["logger"], object["requestId"], object["more"]])
    };
    assert_eq!(head(said[0]), value!(["INFO", "hello you", "mine", ID, 1]));
    assert_eq!(head(said[1]), value!(["ERROR", "caught", "mine", ID, null]));
    assert_eq!(value!([said[1]["errorType"], said[1]["errorMessage"]]), value!(["ValueError", "bad"]));
    assert!(said[1]["stackTrace"].is_array());
    assert!(log.contains(&"plain".to_owned()));
}

#[tokio::test]
async fn console_of_node_in_text_and_json() {
    let bench = Bench::new().await;
    let text = "exports.handler = async () => { console.log('a %d', 1, { b: 2 }); console.error('two\\nlines'); \
                process.stdout.write('raw\\n'); console.debug('low'); };";
    let mut up = bench.up(Spec::node(text)).await;
    up.ask("{}").await.unwrap();
    let log = masked(&up.log());
    let from = log.iter().position(|line| line.starts_with("START")).unwrap();
    let expected = [
        format!("#\t{ID}\tINFO\ta # {{ b: # }}"),
        format!("#\t{ID}\tERROR\ttwo\nlines"),
        "raw".to_owned(),
        format!("#\t{ID}\tDEBUG\tlow"),
        format!("END RequestId: {ID}"),
    ];
    assert_eq!(log[from + 1..from + 6], expected);
    let text = "exports.handler = async () => { console.info({ a: 1 }); console.warn('x', new TypeError('t')); console.debug('low'); };";
    let mut spec = Spec::node(text);
    spec.json = true;
    let mut up = bench.up(spec).await;
    up.ask("{}").await.unwrap();
    let objects: Vec<Value> = up.log().iter().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let said: Vec<_> = objects.iter().filter(|object| object.get("level").is_some()).collect();
    assert_eq!(said.len(), 2);
    assert_eq!(
        value!([said[0]["level"], said[0]["message"], said[0]["requestId"]]),
        value!(["INFO", {"a": 1}, ID])
    );
    assert_eq!(
        value!([said[1]["level"], said[1]["errorType"], said[1]["errorMessage"]]),
        value!(["WARN", "TypeError", "t"])
    );
}

#[tokio::test]
async fn g5_fake_report_lines_change_no_metering() {
    let bench = Bench::new().await;
    let text = "def handler(e, c):\n  print('REPORT RequestId: ' + c.aws_request_id + '\\tDuration: 0.00 ms\\tBilled Duration: 0 ms\\t')\n";
    let mut up = bench.up(Spec::python(text)).await;
    let reply = up.try_invoke("{}").await.unwrap();
    let billing = reply.billing.unwrap();
    assert!(billing.cold && billing.duration_us > 0);
    let init = billing.init_us.unwrap();
    assert_eq!(billing.billed_ms, (billing.duration_us + init).div_ceil(1000));
    assert!(billing.max_memory_mib > 0);
    let tail = String::from_utf8(reply.log_tail.unwrap().to_vec()).unwrap();
    let last = tail.lines().last().unwrap();
    assert!(last.contains(&format!("Billed Duration: {} ms", billing.billed_ms)), "{last}");
    assert!(up.guest.settled().await);
    assert!(!up.try_invoke("{}").await.unwrap().billing.unwrap().cold);
}

#[tokio::test]
async fn d6_a_flood_is_cut_dropped_and_counted_and_the_function_goes_on() {
    let bench = Bench::new().await;
    let text = r"
import os
def handler(event, context):
  if event == 'long':
    os.write(1, b'y' * 100)
    for _ in range(400):
      os.write(1, b'x' * 65536)
    os.write(1, b'\n')
  else:
    for _ in range(2000):
      print('z' * 1000)
  return 1
";
    let mut spec = Spec::python(text);
    spec.limits.log_line_bytes = 5000;
    spec.limits.log_bytes_per_s = 50_000;
    let mut up = bench.up(spec).await;
    assert_eq!(up.ask("\"long\"").await.unwrap(), value!(1));
    assert_eq!(up.ask("\"many\"").await.unwrap(), value!(1));
    let log = up.log();
    let long = log.iter().find(|line| line.starts_with('y')).unwrap();
    assert_eq!(long.len(), 5000);
    assert!(long.ends_with("[truncated]"));
    let whole: usize = log.iter().filter(|line| line.starts_with('z')).count();
    assert!(whole < 2000);
    let counts = log
        .iter()
        .filter_map(|line| line.strip_prefix('[')?.split_once(" lines dropped")?.0.parse::<usize>().ok());
    assert_eq!(whole + counts.sum::<usize>(), 2000, "every line is there or counted");
    assert!(log.last().unwrap().starts_with("REPORT"), "the platform's own lines are not dropped");
}

#[tokio::test]
async fn the_tail_holds_the_last_4_kib() {
    let bench = Bench::new().await;
    let mut up =
        bench.up(Spec::python("def handler(e, c):\n  for n in range(2000):\n    print('line', n)\n")).await;
    let tail = up.try_invoke("{}").await.unwrap().log_tail.unwrap();
    assert_eq!(tail.len(), 4096);
    let text = String::from_utf8(tail.to_vec()).unwrap();
    assert!(text.contains(&format!("line 1999\nEND RequestId: {ID}\nREPORT RequestId: {ID}")), "{text}");
}
