//! American English.

use super::{Dictionary, Word};

/// English writes a name in one way.
const fn word(name: &'static str) -> Word {
    Word { native: name, katakana: name, latin: name }
}

#[rustfmt::skip]
const FEMALE: &[Word] = &[
    word("Abigail"), word("Alice"), word("Amanda"), word("Amelia"), word("Amy"), word("Andrea"),
    word("Angela"), word("Anna"), word("Ashley"), word("Audrey"), word("Barbara"), word("Beatrice"),
    word("Betty"), word("Brenda"), word("Carol"), word("Caroline"), word("Catherine"), word("Charlotte"),
    word("Chloe"), word("Christine"), word("Claire"), word("Clara"), word("Cynthia"), word("Deborah"),
    word("Diana"), word("Donna"), word("Dorothy"), word("Eleanor"), word("Elizabeth"), word("Ella"),
    word("Emily"), word("Emma"), word("Evelyn"), word("Frances"), word("Gloria"), word("Grace"),
    word("Hannah"), word("Hazel"), word("Heather"), word("Helen"), word("Irene"), word("Isabel"),
    word("Jane"), word("Janet"), word("Jennifer"), word("Jessica"), word("Joan"), word("Joyce"),
    word("Judith"), word("Julia"), word("Karen"), word("Kathleen"), word("Laura"), word("Lily"),
    word("Linda"), word("Lucy"), word("Margaret"), word("Maria"), word("Martha"), word("Mary"),
    word("Megan"), word("Melissa"), word("Mia"), word("Michelle"), word("Molly"), word("Nancy"),
    word("Natalie"), word("Nicole"), word("Nora"), word("Olivia"), word("Pamela"), word("Patricia"),
    word("Rachel"), word("Rebecca"), word("Rose"), word("Ruby"), word("Ruth"), word("Samantha"),
    word("Sandra"), word("Sarah"), word("Sharon"), word("Sophia"), word("Stella"), word("Stephanie"),
    word("Susan"), word("Teresa"), word("Victoria"), word("Violet"), word("Virginia"), word("Zoe"),
];

#[rustfmt::skip]
const MALE: &[Word] = &[
    word("Aaron"), word("Adam"), word("Alan"), word("Albert"), word("Alexander"), word("Andrew"),
    word("Anthony"), word("Arthur"), word("Austin"), word("Benjamin"), word("Brandon"), word("Brian"),
    word("Bruce"), word("Carl"), word("Charles"), word("Christopher"), word("Daniel"), word("David"),
    word("Dennis"), word("Douglas"), word("Dylan"), word("Edward"), word("Eric"), word("Ethan"),
    word("Eugene"), word("Frank"), word("Gabriel"), word("Gary"), word("George"), word("Gerald"),
    word("Gregory"), word("Harold"), word("Harry"), word("Henry"), word("Howard"), word("Isaac"),
    word("Jack"), word("Jacob"), word("James"), word("Jason"), word("Jeffrey"), word("Jeremy"),
    word("Jerry"), word("John"), word("Jonathan"), word("Jordan"), word("Joseph"), word("Joshua"),
    word("Juan"), word("Justin"), word("Keith"), word("Kenneth"), word("Kevin"), word("Kyle"),
    word("Lawrence"), word("Leo"), word("Liam"), word("Logan"), word("Louis"), word("Lucas"), word("Mark"),
    word("Matthew"), word("Michael"), word("Nathan"), word("Nicholas"), word("Noah"), word("Oliver"),
    word("Oscar"), word("Patrick"), word("Paul"), word("Peter"), word("Philip"), word("Ralph"),
    word("Raymond"), word("Richard"), word("Robert"), word("Roger"), word("Roy"), word("Russell"),
    word("Ryan"), word("Samuel"), word("Scott"), word("Sean"), word("Stephen"), word("Steven"),
    word("Theodore"), word("Thomas"), word("Timothy"), word("Tyler"), word("Victor"), word("Vincent"),
    word("Walter"), word("Wayne"), word("William"), word("Zachary"),
];

#[rustfmt::skip]
const FAMILY: &[Word] = &[
    word("Adams"), word("Allen"), word("Anderson"), word("Bailey"), word("Baker"), word("Barnes"),
    word("Bell"), word("Bennett"), word("Brooks"), word("Brown"), word("Bryant"), word("Butler"),
    word("Campbell"), word("Carter"), word("Clark"), word("Coleman"), word("Collins"), word("Cook"),
    word("Cooper"), word("Cox"), word("Cruz"), word("Davis"), word("Diaz"), word("Edwards"), word("Ellis"),
    word("Evans"), word("Fisher"), word("Flores"), word("Ford"), word("Foster"), word("Garcia"),
    word("Gibson"), word("Gomez"), word("Gonzalez"), word("Graham"), word("Grant"), word("Gray"),
    word("Green"), word("Griffin"), word("Hall"), word("Hamilton"), word("Harris"), word("Harrison"),
    word("Hayes"), word("Henderson"), word("Hernandez"), word("Hill"), word("Howard"), word("Hughes"),
    word("Hunt"), word("Jackson"), word("James"), word("Jenkins"), word("Johnson"), word("Jones"),
    word("Jordan"), word("Kelly"), word("Kennedy"), word("King"), word("Lee"), word("Lewis"), word("Long"),
    word("Lopez"), word("Marshall"), word("Martin"), word("Martinez"), word("Mason"), word("Mcdonald"),
    word("Miller"), word("Mitchell"), word("Moore"), word("Morales"), word("Morgan"), word("Morris"),
    word("Murphy"), word("Murray"), word("Myers"), word("Nelson"), word("Nguyen"), word("Ortiz"),
    word("Owens"), word("Parker"), word("Patterson"), word("Perez"), word("Perry"), word("Peterson"),
    word("Phillips"), word("Powell"), word("Price"), word("Ramirez"), word("Reed"), word("Reyes"),
    word("Reynolds"), word("Richardson"), word("Rivera"), word("Roberts"), word("Robinson"),
    word("Rodriguez"), word("Rogers"), word("Ross"), word("Russell"), word("Sanchez"), word("Sanders"),
    word("Scott"), word("Simmons"), word("Smith"), word("Stevens"), word("Stewart"), word("Sullivan"),
    word("Taylor"), word("Thomas"), word("Thompson"), word("Torres"), word("Turner"), word("Walker"),
    word("Wallace"), word("Ward"), word("Washington"), word("Watson"), word("Webb"), word("Wells"),
    word("West"), word("White"), word("Williams"), word("Wilson"), word("Wood"), word("Wright"),
    word("Young"),
];

#[rustfmt::skip]
const CITIES: &[&str] = &[
    "Ashford", "Bridgeport", "Brookside", "Cedarville", "Centerville", "Clayton", "Clearwater", "Clinton",
    "Dover", "Eastwood", "Fairview", "Franklin", "Georgetown", "Glendale", "Greenfield", "Greenville",
    "Hamilton", "Harrison", "Hillside", "Hudson", "Jackson", "Kingston", "Lakewood", "Lebanon", "Lexington",
    "Lincoln", "Madison", "Manchester", "Marion", "Milford", "Millbrook", "Milton", "Newport", "Northfield",
    "Oakland", "Oxford", "Pinewood", "Plainview", "Ridgewood", "Riverside", "Salem", "Springfield",
    "Stonebridge", "Summit", "Sunnyvale", "Troy", "Vernon", "Westfield", "Winchester", "Woodland",
];

#[rustfmt::skip]
const STREETS: &[&str] = &[
    "Acorn", "Ash", "Aspen", "Birch", "Bluebird", "Brook", "Canyon", "Cedar", "Cherry", "Chestnut",
    "Church", "College", "Cottage", "Creek", "Cypress", "Dogwood", "Elm", "Forest", "Garden", "Grove",
    "Harbor", "Hickory", "High", "Highland", "Hill", "Holly", "Juniper", "Lake", "Laurel", "Lincoln",
    "Linden", "Locust", "Magnolia", "Main", "Maple", "Meadow", "Mill", "Mulberry", "Oak", "Orchard", "Park",
    "Pine", "Pleasant", "Poplar", "Prospect", "Ridge", "River", "School", "Spring", "Spruce", "Summit",
    "Sunset", "Sycamore", "Valley", "Walnut", "Washington", "Water", "Willow", "Windsor", "Wood",
];

#[rustfmt::skip]
const COMPANY: &[&str] = &[
    "Amber", "Anchor", "Apex", "Arrow", "Atlas", "Beacon", "Blue", "Bright", "Cascade", "Cedar", "Clear",
    "Cobalt", "Copper", "Crown", "Delta", "Eagle", "Echo", "Ember", "Evergreen", "Falcon", "Granite",
    "Harbor", "Horizon", "Iron", "Juniper", "Lantern", "Liberty", "Lighthouse", "Lunar", "Maple",
    "Meridian", "Northern", "Oak", "Orbit", "Pioneer", "Prairie", "Quartz", "Raven", "Redwood", "River",
    "Sierra", "Silver", "Summit", "Sun", "Timber", "Union", "Vista", "Willow", "Zenith",
];

#[rustfmt::skip]
const COMPANY_ENDS: &[&str] = &[
    "Analytics", "Builders", "Consulting", "Designs", "Foods", "Group", "Holdings", "Industries", "Labs",
    "Logistics", "Media", "Partners", "Solutions", "Supply", "Systems", "Works",
];

#[rustfmt::skip]
const LOREM: &[&str] = &[
    "lorem", "ipsum", "dolor", "sit", "amet", "consectetur", "adipiscing", "elit", "sed", "do", "eiusmod",
    "tempor", "incididunt", "ut", "labore", "et", "dolore", "magna", "aliqua", "enim", "ad", "minim",
    "veniam", "quis", "nostrud", "exercitation", "ullamco", "laboris", "nisi", "aliquip", "ex", "ea",
    "commodo", "consequat", "duis", "aute", "irure", "in", "reprehenderit", "voluptate", "velit", "esse",
    "cillum", "eu", "fugiat", "nulla", "pariatur", "excepteur", "sint", "occaecat", "cupidatat", "non",
    "proident", "sunt", "culpa", "qui", "officia", "deserunt", "mollit", "anim", "id", "est", "laborum",
];

pub(super) static DICTIONARY: Dictionary = Dictionary {
    female: FEMALE,
    male: MALE,
    family: FAMILY,
    cities: CITIES,
    streets: STREETS,
    company: COMPANY,
    company_ends: COMPANY_ENDS,
    lorem: LOREM,
};
