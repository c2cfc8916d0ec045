//! What differs between two layouts, out of `abi_stable`'s report, whose hundred lines also tell
//! what is alike. The report is all there is: the checker's own types are private.

/// Differences that are named; whoever builds against the wrong types has seen enough by then.
const NAMED: usize = 3;

/// The differences in one line; `None` where the report has none that can be read.
pub(super) fn differences(report: &str) -> Option<String> {
    let mut found = Vec::new();
    let mut place = Vec::new();
    let mut is_place = false;
    let mut lines = report
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty());
    while let Some(line) = lines.next() {
        if line.contains("error(s)") {
            place.clear();
            is_place = true;
        } else if line.starts_with("Layout of expected type") {
            is_place = false;
        } else if let Some(name) = line.strip_prefix("field_name:") {
            // Parameters and fields of tuples have no names that say anything.
            if is_place && name.chars().any(char::is_alphabetic) {
                place.push(name.trim_start_matches('_'));
            }
        } else if let Some(what) = line.strip_prefix("Error:") {
            let mut value = |label| {
                let begin = lines.by_ref().find(|line| *line == label);
                begin.and_then(|_| lines.next()).unwrap_or("nothing")
            };
            let (expected, is) = (value("Expected:"), value("Found:"));
            let place = place.join(", ");
            found.push(format!("{place}: {what}, {is} instead of {expected}"));
        }
    }
    found.truncate(NAMED);
    (!found.is_empty()).then(|| found.join("; "))
}

#[cfg(test)]
mod tests {
    use super::differences;

    const REPORT: &str = "
Compared <this>:
    --- Type Layout ---
    type:PrefixRef<'a, PluginModule>
    Phantom fields:
        field_name:0
0 error(s).

1 error(s)inside:
    <other>

    field_name:0
    type:PluginModule

    field_name:describe
    type:AFunctionPointer

    field_name:__returns
    type:RVec

Layout of expected type:
    field_name:inner

Error:mismatched type
Expected:
    RString
Found:
    RVec
1 error(s)inside:
    <other>

    field_name:run
    field_name:,
Layout of expected type:

Error:mismatched type
Expected:
    HostLink_TO
Found:
    u64
";

    #[test]
    fn each_difference_is_named_with_its_place() {
        assert_eq!(
            differences(REPORT).unwrap(),
            "describe, returns: mismatched type, RVec instead of RString; \
             run: mismatched type, u64 instead of HostLink_TO"
        );
    }

    #[test]
    fn a_report_of_another_form_is_no_reason_to_panic() {
        assert_eq!(differences("the layouts differ"), None);
        assert_eq!(
            differences("Error:too few").unwrap(),
            ": too few, nothing instead of nothing"
        );
    }
}
