use proptest::prelude::*;

use super::*;

#[test]
fn elements_are_trimmed_and_empty_ones_left_out() {
    assert_eq!(split(" a,b ,, c d , "), ["a", "b", "c d"]);
    assert!(split("").is_empty());
    assert!(split(" , ").is_empty());
}

#[test]
fn quotes_around_an_element_do_not_belong_to_it() {
    assert_eq!(
        split("\"open-xchange-mailapp\", \"open-xchange-mobile-api-facade*\""),
        ["open-xchange-mailapp", "open-xchange-mobile-api-facade*"]
    );
    assert_eq!(
        split("\"a,b\" , \" c \",\"\",\"d\"\"e\""),
        ["a,b", " c ", "", "d\"e"]
    );
}

#[test]
fn quotes_elsewhere_are_ordinary_characters() {
    assert_eq!(split("a\"b\",\"c\" d, \"e"), ["a\"b\"", "\"c\" d", "\"e"]);
}

#[test]
fn only_elements_that_need_quotes_get_them() {
    assert_eq!(
        join(&["a b", "c\"d", "e,f", "", "\"g"]),
        "a b, c\"d, \"e,f\", \"\", \"\"\"g\""
    );
}

proptest! {
    #[test]
    fn what_is_joined_is_split_again(elements in proptest::collection::vec("[ab,\" \\t\u{a0}é]{0,6}", 0..6)) {
        prop_assert_eq!(split(&join(&elements)), elements);
    }

    #[test]
    fn the_canonical_form_means_the_same(value in "[ab,\" ]{0,20}") {
        prop_assert_eq!(split(&join(&split(&value))), split(&value));
    }
}
