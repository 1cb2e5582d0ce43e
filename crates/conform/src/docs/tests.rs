use super::*;

fn case(path: &str, docs: &str) -> Case {
    let text = format!("title = \"t\"\nclient = \"raw\"\noperations = [\"lambda.Invoke\"]\n[docs]\n{docs}");
    let toml = toml::from_str(&text).unwrap();
    Case { path: path.into(), dir: PathBuf::new(), script: PathBuf::new(), toml, number: 1 }
}

#[test]
fn lines_stand_under_their_topics_with_their_cases() {
    let cases = [
        case("aws/two", "topic = \"STS\"\nworks = [\"b\"]"),
        case("aws/one", "topic = \"Invoke\"\nworks = [\"a\"]\ndiffers = [\"c\"]"),
        case("native/other", "topic = \"Invoke\"\nworks = [\"of native\"]"),
    ];
    let page = PAGES[0].text(&cases);
    let works = page.find("### Invoke\n\n- a (`aws/one`)").unwrap();
    assert!(works < page.find("### STS\n\n- b (`aws/two`)").unwrap());
    assert!(page.contains("## Differs\n\n### Invoke\n\n- c (`aws/one`)"));
    assert!(page.contains("## Not yet\n\nNothing that a case shows."));
    assert!(page.contains("| lambda.Invoke | aws/two, aws/one |"));
    assert!(!page.contains("of native"));
}
