//! What a device shows of the pushes that were sent to it.

use std::collections::HashMap;

use crate::record::{Provider, Push};

/// The notifications of one device, oldest first.
///
/// APNs: a push with the `apns-id` of an earlier one is that notification again, one with its
/// `apns-collapse-id` replaces it; either way the newest content stands, at the newest place. FCM: the
/// app shows a `cid` once, as it came first; messages without one are all shown.
pub(crate) fn as_device_sees<'a>(pushes: impl Iterator<Item = &'a Push>, token: &str) -> Vec<Push> {
    let mut shown: Vec<Option<&Push>> = Vec::new();
    let mut places: HashMap<Key<'a>, usize> = HashMap::new();
    for push in pushes.filter(|push| push.outcome.is_delivered() && push.is_to(token)) {
        let keys = keys(push);
        let earlier = keys.iter().find_map(|key| places.get(key).copied());
        let place = match (push.provider, earlier) {
            (Provider::Fcm, Some(place)) => place,
            (_, earlier) => {
                if let Some(place) = earlier {
                    shown[place] = None;
                }
                shown.push(Some(push));
                shown.len() - 1
            }
        };
        for key in keys {
            places.insert(key, place);
        }
    }
    shown.into_iter().flatten().cloned().collect()
}

#[derive(PartialEq, Eq, Hash)]
enum Key<'a> {
    Id(&'a str),
    Collapse(&'a str),
    Cid(&'a str),
}

fn keys(push: &Push) -> Vec<Key<'_>> {
    match push.provider {
        Provider::Apns => [
            push.collapse_id.as_deref().map(Key::Collapse),
            push.apns_id.as_deref().map(Key::Id),
        ]
        .into_iter()
        .flatten()
        .collect(),
        Provider::Fcm => push.cid().map(Key::Cid).into_iter().collect(),
    }
}

impl Push {
    fn is_to(&self, token: &str) -> bool {
        match self.provider {
            Provider::Apns => self.token.eq_ignore_ascii_case(token),
            Provider::Fcm => self.token == token,
        }
    }
}
