//! Invented organizations, people and groups. Every domain ends in `.example`, which nobody can own.

/// (as written, as in an address).
type Spelling = (&'static str, &'static str);

const FIRST: [Spelling; 40] = [
    ("Ada", "ada"),
    ("Zoë", "zoe"),
    ("Łukasz", "lukasz"),
    ("Bo", "bo"),
    ("Søren", "soren"),
    ("Marcelina", "marcelina"),
    ("José", "jose"),
    ("美咲", "misaki"),
    ("Ingrid", "ingrid"),
    ("Tunde", "tunde"),
    ("Aoife", "aoife"),
    ("Björk", "bjork"),
    ("Carla", "carla"),
    ("Дмитрий", "dmitri"),
    ("Elif", "elif"),
    ("François", "francois"),
    ("Gita", "gita"),
    ("Hamza", "hamza"),
    ("Iris", "iris"),
    ("Jürgen", "jurgen"),
    ("Kwame", "kwame"),
    ("Leila", "leila"),
    ("Mei", "mei"),
    ("Niamh", "niamh"),
    ("Oskar", "oskar"),
    ("Priya", "priya"),
    ("Quentin", "quentin"),
    ("Rosa", "rosa"),
    ("Šárka", "sarka"),
    ("Tomás", "tomas"),
    ("Uma", "uma"),
    ("Việt", "viet"),
    ("Wanda", "wanda"),
    ("Ximena", "ximena"),
    ("Yusuf", "yusuf"),
    ("Žofie", "zofie"),
    ("Ana-Lucía", "ana-lucia"),
    ("Dele", "dele"),
    ("Ελένη", "eleni"),
    ("Theo", "theo"),
];

const LAST: [Spelling; 48] = [
    ("Ek", "ek"),
    ("Nguyễn", "nguyen"),
    ("Müller", "muller"),
    ("Okafor", "okafor"),
    ("O'Brien", "obrien"),
    ("佐藤", "sato"),
    ("Davis", "davis"),
    ("Åberg", "aberg"),
    ("Silva", "silva"),
    ("Novák", "novak"),
    ("Kowalska", "kowalska"),
    ("Haddad", "haddad"),
    ("Björnsdóttir", "bjornsdottir"),
    ("Fernández", "fernandez"),
    ("Lindqvist", "lindqvist"),
    ("Mehta", "mehta"),
    ("Петрова", "petrova"),
    ("van den Berg", "vandenberg"),
    ("Yılmaz", "yilmaz"),
    ("Zheng", "zheng"),
    ("Abara", "abara"),
    ("Brandt", "brandt"),
    ("Costa", "costa"),
    ("Dubois", "dubois"),
    ("Eriksen", "eriksen"),
    ("Farah", "farah"),
    ("Greco", "greco"),
    ("Hughes", "hughes"),
    ("Ivanov", "ivanov"),
    ("Jónsson", "jonsson"),
    ("Kaur", "kaur"),
    ("Larsen", "larsen"),
    ("Moreau", "moreau"),
    ("Nakamura", "nakamura"),
    ("Ødegård", "odegard"),
    ("Papadopoulos", "papadopoulos"),
    ("Quispe", "quispe"),
    ("Rossi", "rossi"),
    ("Schäfer", "schafer"),
    ("Tremblay", "tremblay"),
    ("Ueda", "ueda"),
    ("Varga", "varga"),
    ("Weiß", "weiss"),
    ("Xu", "xu"),
    ("Young", "young"),
    ("Zimmermann", "zimmermann"),
    ("Said-Ali", "said-ali"),
    ("Tanaka", "tanaka"),
];

const ORGANIZATIONS: [Spelling; 12] = [
    ("Aster Freight", "aster-freight"),
    ("Birch & Loom", "birch-loom"),
    ("Corvid Analytics", "corvid"),
    ("Dünya Foods", "dunya-foods"),
    ("Elmwood Health", "elmwood"),
    ("Fjord Energi", "fjord-energi"),
    ("Granite Robotics", "granite-robotics"),
    ("Halcyon Labs", "halcyon"),
    ("Ivory Coast Trading", "ict"),
    ("Juniper Law", "juniper-law"),
    ("Kestrel Air", "kestrel-air"),
    ("Lumen Schools", "lumen-schools"),
];

pub(super) const DEPARTMENTS: [&str; 8] =
    ["Engineering", "Sales", "Finance", "Support", "People", "Legal", "Marketing", "Operations"];

pub(super) const JOB_TITLES: [&str; 10] = [
    "Analyst",
    "Architect",
    "Assistant",
    "Coordinator",
    "Director",
    "Engineer",
    "Lead",
    "Manager",
    "Specialist",
    "Trainee",
];

const REGIONS: [&str; 6] = ["EMEA", "APAC", "Americas", "Nordics", "DACH", "LATAM"];

/// The name of tenant number `n` and its domain.
pub(super) fn organization(n: usize) -> (String, String) {
    let (name, host) = pick(&ORGANIZATIONS, n);
    match n / ORGANIZATIONS.len() {
        0 => (name.to_owned(), format!("{host}.example")),
        again => (format!("{name} {}", again + 1), format!("{host}-{}.example", again + 1)),
    }
}

/// First name, last name and the local part of the address of a tenant's person `n`. After all pairs of names a number
/// follows, so no two people of a tenant share an address.
pub(super) fn person(tenant: usize, n: usize) -> (&'static str, &'static str, String) {
    let pairs = FIRST.len() * LAST.len();
    // A prime step through the pairs: neighbours have no name in common.
    let pair = (n % pairs * 1009 + tenant * 37) % pairs;
    let (first, first_ascii) = pick(&FIRST, pair);
    let (last, last_ascii) = pick(&LAST, pair / FIRST.len());
    let local = match n / pairs {
        0 => format!("{first_ascii}.{last_ascii}"),
        again => format!("{first_ascii}.{last_ascii}{}", again + 1),
    };
    (first, last, local)
}

/// A last name, and its form in an address.
pub(super) fn last(n: usize) -> Spelling {
    pick(&LAST, n)
}

/// The name of a tenant's group number `n`: departments first, then projects.
pub(super) fn group(n: usize) -> String {
    match DEPARTMENTS.get(n) {
        Some(department) => (*department).to_owned(),
        None => format!("Project {}", n - DEPARTMENTS.len() + 1),
    }
}

pub(super) fn region(n: usize) -> &'static str {
    pick(&REGIONS, n)
}

/// The entry at `n`, modulo the number of entries.
pub(super) fn pick<T: Copy + Default, const N: usize>(from: &[T; N], n: usize) -> T {
    from.get(n % N).copied().unwrap_or_default()
}
