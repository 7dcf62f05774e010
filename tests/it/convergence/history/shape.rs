//! What a history is mostly about. Some ends need several rare things to meet in one place, which chance alone hardly
//! ever brings about; each shape makes one such meeting frequent, and says nothing about how it must end.

/// How likely things are, in comparison with each other where nothing else is said.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Fewer events than these.
    pub length: usize,
    /// That all is one tenant.
    pub single: f64,
    /// That more is delivered with an event before anything is applied.
    pub together: f64,
    /// That an event names the organization that it should, none, another.
    pub claims: [u32; 3],
    /// That it is of the first directory, the second, any other.
    pub directories: [u32; 3],
    /// That those it speaks of began there, in the directory after it, in any, in the first.
    pub began: [u32; 4],
    /// That their snapshot is as young as the event, somewhat older, as old as everything.
    pub lags: [u32; 3],
    /// How many began in each directory.
    pub people: u8,
    /// So many times as likely as ordinarily: that somebody or a group is removed; that a directory is described; that
    /// an organization is deleted; that nothing is special about anybody.
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
    // Most of the time all happens in one place, so that much is said of the same people.
    directories: [5, 3, 2],
    began: [24, 4, 2, 1],
    lags: [6, 3, 1],
    people: 3,
    removals: 1,
    descriptions: 1,
    dissolutions: 1,
    sameness: 1,
};

/// Hardly any event names an organization: late is it known whose a directory is, and what became of its owner.
pub const SILENT: Shape = Shape { length: 40, single: 0.8, claims: [4, 24, 1], dissolutions: 12, ..ORDINARY };

/// Two organizations claim a directory as often, and most of what they say is that somebody is gone: what was shown
/// turns out to be somebody else's, and nothing of it is left.
pub const DISPUTED: Shape = Shape {
    length: 30,
    single: 0.7,
    claims: [8, 1, 8],
    directories: [1, 1, 3],
    people: 1,
    removals: 6,
    ..ORDINARY
};

/// The same few people are spoken of in all directories, most of the time as gone, so that a directory has people long
/// before it is shown or described.
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

/// The same few snapshots are sent again and again, from either directory: events differ in little but when they were
/// sent.
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

/// The same few snapshots again, in one removal after the other.
pub const GONE: Shape =
    Shape { claims: [60, 1, 1], directories: [20, 1, 1], began: [20, 1, 1, 1], removals: 6, ..STILL };

/// How many histories are of each, of fifteen.
pub const SHAPES: [(u32, Shape); 6] =
    [(3, ORDINARY), (2, SILENT), (2, DISPUTED), (3, LATE), (2, STILL), (3, GONE)];
