//! Points in time as people read them: "Friday 27 November 2026, 17:00, Berlin time", and beside it "in 6 days".
//! Used wherever a page or a mail names a time; the time of day is always passed in.
//! The zone is always named, because a mail is read in another place than the one it was written in.

use jiff::{SignedDuration, Timestamp, Zoned, civil, tz::TimeZone};

/// The zone that is used when a request names none.
pub const DEFAULT_TIME_ZONE: &str = "UTC";

/// A point in time, ready to be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    /// RFC 3339 in UTC, for `<time datetime>`.
    pub machine: String,
    /// With weekday, date, time and zone: "Friday 27 November 2026, 17:00, Berlin time".
    pub full: String,
    /// As seen from now: "in 6 days", "2 hours ago".
    pub relative: String,
    /// The day alone, with the year only if it isn't this one: "27 November".
    pub day: String,
    /// "17:00".
    pub clock: String,
    /// For a subject line: the day, with the time as well if it is less than a day away.
    pub brief: String,
}

impl Moment {
    /// `at` as it reads at `now` in the zone called `zone` (an IANA name such as "Europe/Berlin"; an unknown one reads as
    /// UTC, because a page that shows a time in UTC is better than none).
    pub fn new(at: Timestamp, now: Timestamp, zone: &str) -> Self {
        let (tz, place) = match TimeZone::get(zone) {
            Ok(tz) => (tz, place_name(zone)),
            Err(_) => (TimeZone::UTC, None),
        };
        let local = at.to_zoned(tz.clone());
        let today = now.to_zoned(tz);
        let day = if local.year() == today.year() {
            format!("{} {}", local.day(), month(local.month()))
        } else {
            format!("{} {} {}", local.day(), month(local.month()), local.year())
        };
        let clock = format!("{:02}:{:02}", local.hour(), local.minute());
        let full = format!(
            "{} {} {} {}, {clock}, {}",
            weekday(local.weekday()),
            local.day(),
            month(local.month()),
            local.year(),
            zone_words(&local, place)
        );
        let near = at.duration_since(now).abs() < SignedDuration::from_hours(24);
        let brief = if near {
            format!("{day}, {clock}")
        } else {
            day.clone()
        };
        Self {
            machine: at.to_string(),
            full,
            relative: relative(&local, &today),
            day,
            clock,
            brief,
        }
    }
}

/// "Berlin time"; "UTC"; and where a clock is set back and 02:30 comes twice, "Berlin time (UTC+01)".
fn zone_words(local: &Zoned, place: Option<String>) -> String {
    let Some(place) = place else {
        return if local.offset().is_zero() {
            "UTC".to_owned()
        } else {
            format!("UTC{}", local.offset())
        };
    };
    if local
        .time_zone()
        .to_ambiguous_timestamp(local.datetime())
        .is_ambiguous()
    {
        format!("{place} time (UTC{})", local.offset())
    } else {
        format!("{place} time")
    }
}

/// The town in a zone's name: "America/Argentina/Buenos_Aires" is "Buenos Aires". Zones named after no place have none.
fn place_name(zone: &str) -> Option<String> {
    let (region, town) = zone.rsplit_once('/')?;
    (!region.eq_ignore_ascii_case("etc")).then(|| town.replace('_', " "))
}

fn relative(at: &Zoned, now: &Zoned) -> String {
    let apart = at.timestamp().duration_since(now.timestamp());
    let amount = amount(apart.abs(), days_between(at.date(), now.date()));
    match amount {
        None if apart.is_negative() => "just now".to_owned(),
        None => "in less than a minute".to_owned(),
        Some(amount) if apart.is_negative() => format!("{amount} ago"),
        Some(amount) => format!("in {amount}"),
    }
}

/// Rounded down, so that nobody is promised more time than there is; days are counted as a calendar does.
fn amount(apart: SignedDuration, days: u32) -> Option<String> {
    let minutes = apart.as_mins();
    let counted = |n: i64, unit: &str| Some(format!("{n} {unit}{}", if n == 1 { "" } else { "s" }));
    match minutes {
        0 => None,
        1..90 => counted(minutes, "minute"),
        90..2880 => counted(apart.as_hours(), "hour"),
        _ => counted(i64::from(days), "day"),
    }
}

fn days_between(a: civil::Date, b: civil::Date) -> u32 {
    a.duration_until(b)
        .as_hours()
        .unsigned_abs()
        .checked_div(24)
        .and_then(|d| u32::try_from(d).ok())
        .unwrap_or(u32::MAX)
}

fn weekday(day: civil::Weekday) -> &'static str {
    match day {
        civil::Weekday::Monday => "Monday",
        civil::Weekday::Tuesday => "Tuesday",
        civil::Weekday::Wednesday => "Wednesday",
        civil::Weekday::Thursday => "Thursday",
        civil::Weekday::Friday => "Friday",
        civil::Weekday::Saturday => "Saturday",
        civil::Weekday::Sunday => "Sunday",
    }
}

fn month(number: i8) -> &'static str {
    const MONTHS: [&str; 12] = [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ];
    // jiff's months run from 1 to 12.
    MONTHS[usize::try_from(number - 1).unwrap_or(0) % 12]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a timestamp")
    }

    fn moment(then: &str, now: &str, zone: &str) -> Moment {
        Moment::new(at(then), at(now), zone)
    }

    #[test]
    fn a_deadline_in_berlin() {
        let m = moment("2026-11-27T16:00:00Z", "2026-11-21T09:00:00Z", "Europe/Berlin");
        assert_eq!(m.full, "Friday 27 November 2026, 17:00, Berlin time");
        assert_eq!(m.relative, "in 6 days");
        assert_eq!(m.machine, "2026-11-27T16:00:00Z");
        assert_eq!(
            (m.day.as_str(), m.clock.as_str(), m.brief.as_str()),
            ("27 November", "17:00", "27 November")
        );
    }

    #[test]
    fn the_zone_database_is_in_the_binary() {
        assert!(
            jiff::tz::TimeZoneDatabase::bundled()
                .get("America/Argentina/Buenos_Aires")
                .is_ok()
        );
        let m = moment(
            "2026-11-27T16:00:00Z",
            "2026-11-21T09:00:00Z",
            "America/Argentina/Buenos_Aires",
        );
        assert_eq!(m.full, "Friday 27 November 2026, 13:00, Buenos Aires time");
    }

    #[test]
    fn zones_without_a_place() {
        assert!(
            moment("2026-11-27T16:00:00Z", "2026-11-21T09:00:00Z", "UTC")
                .full
                .ends_with("16:00, UTC")
        );
        assert!(
            moment("2026-11-27T16:00:00Z", "2026-11-21T09:00:00Z", "Etc/GMT-5")
                .full
                .ends_with("21:00, UTC+05")
        );
        assert!(
            moment("2026-11-27T16:00:00Z", "2026-11-21T09:00:00Z", "Mars/Olympus")
                .full
                .ends_with("16:00, UTC")
        );
    }

    #[test]
    fn the_hour_that_comes_twice_names_its_offset() {
        let first = moment("2026-10-25T00:30:00Z", "2026-10-20T09:00:00Z", "Europe/Berlin");
        let second = moment("2026-10-25T01:30:00Z", "2026-10-20T09:00:00Z", "Europe/Berlin");
        assert_eq!(first.full, "Sunday 25 October 2026, 02:30, Berlin time (UTC+02)");
        assert_eq!(second.full, "Sunday 25 October 2026, 02:30, Berlin time (UTC+01)");
    }

    #[test]
    fn as_seen_from_now() {
        let seen = |then: &str| moment(then, "2026-11-21T09:00:00Z", "UTC").relative;
        assert_eq!(seen("2026-11-21T09:00:30Z"), "in less than a minute");
        assert_eq!(seen("2026-11-21T08:59:30Z"), "just now");
        assert_eq!(seen("2026-11-21T09:01:59Z"), "in 1 minute");
        assert_eq!(seen("2026-11-21T10:00:00Z"), "in 60 minutes");
        assert_eq!(seen("2026-11-21T12:59:00Z"), "in 3 hours");
        assert_eq!(seen("2026-11-22T22:00:00Z"), "in 37 hours");
        assert_eq!(seen("2026-11-23T23:00:00Z"), "in 2 days");
        assert_eq!(seen("2026-11-11T09:00:00Z"), "10 days ago");
        assert_eq!(seen("2027-11-21T09:00:00Z"), "in 365 days");
    }

    #[test]
    fn a_subject_names_the_time_when_it_is_near_and_the_year_when_it_is_another() {
        assert_eq!(
            moment("2026-11-21T10:03:00Z", "2026-11-21T10:02:00Z", "UTC").brief,
            "21 November, 10:03"
        );
        assert_eq!(
            moment("2027-01-04T10:00:00Z", "2026-11-21T10:02:00Z", "UTC").brief,
            "4 January 2027"
        );
    }
}
