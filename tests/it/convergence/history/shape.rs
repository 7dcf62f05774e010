//! The emphasis of a history. Some ends need several rare things in one place, which chance hardly produces. Each shape
//! makes one such combination frequent, and does not decide how it must end.

/// Probabilities, relative to each other unless stated otherwise.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// The upper bound of the number of events.
    pub length: usize,
    /// The weight of a single tenant.
    pub single: f64,
    /// The weight of further deliveries before anything is applied.
    pub together: f64,
    /// Weights of the right organization in an event, none, and another one.
    pub claims: [u32; 3],
    /// Weights of the first directory, the second, and any other.
    pub directories: [u32; 3],
    /// Weights of the directory where the entities began: this one, the next one, any, the first.
    pub began: [u32; 4],
    /// Weights of a snapshot that is as young as the event, somewhat older, or as old as everything.
    pub lags: [u32; 3],
    /// The number of entities that begin in each directory.
    pub people: u8,
    /// Factors for these events: a user or group is removed; a directory is described; an organization is deleted; a
    /// user has no special attribute.
    pub removals: u32,
    pub descriptions: u32,
    pub dissolutions: u32,
    pub sameness: u32,
}

pub const ORDINARY: Shape = Shape {
    length: 60,
    single: 0.1,
    together: 0.7,
    claims: [24, 2, 2],
    // Usually everything happens in one place, so that many events are about the same people.
    directories: [5, 3, 2],
    began: [24, 4, 2, 1],
    lags: [6, 3, 1],
    people: 3,
    removals: 1,
    descriptions: 1,
    dissolutions: 1,
    sameness: 1,
};

/// Hardly any event names an organization: the owner of a directory, and its end, become known late.
pub const SILENT: Shape = Shape { length: 40, single: 0.8, claims: [4, 24, 1], dissolutions: 12, ..ORDINARY };

/// Two organizations claim a directory equally often, and most events are removals. So a row turns out to belong to
/// somebody else, and nothing of it remains.
pub const DISPUTED: Shape = Shape {
    length: 30,
    single: 0.7,
    claims: [8, 1, 8],
    directories: [1, 1, 3],
    people: 1,
    removals: 6,
    ..ORDINARY
};

/// Events in all directories are about the same few people, usually as removed. So a directory has people long before
/// it is revealed or described.
pub const LATE: Shape = Shape {
    length: 40,
    single: 0.9,
    together: 0.3,
    directories: [1, 1, 3],
    began: [1, 1, 1, 20],
    people: 1,
    removals: 6,
    descriptions: 8,
    ..ORDINARY
};

/// The same few snapshots are sent repeatedly from either directory. Events differ only in their time of sending.
pub const STILL: Shape = Shape {
    length: 30,
    together: 0.3,
    directories: [6, 6, 1],
    began: [1, 1, 1, 9],
    lags: [1, 1, 60],
    people: 1,
    sameness: 30,
    ..ORDINARY
};

/// The same few snapshots again, in many removals.
pub const GONE: Shape =
    Shape { claims: [60, 1, 1], directories: [20, 1, 1], began: [20, 1, 1, 1], removals: 6, ..STILL };

/// The number of histories of each shape, of fifteen.
pub const SHAPES: [(u32, Shape); 6] =
    [(3, ORDINARY), (2, SILENT), (2, DISPUTED), (3, LATE), (2, STILL), (3, GONE)];
