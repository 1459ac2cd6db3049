//! YAML as a tree in which every part knows its place.
//!
//! Only what settings need: mappings with plain keys, lists, scalars. Anchors, aliases, tags and several documents are
//! mistakes, and so is a key that is there twice.

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Span};

use super::Mistake;

/// Where something stands: line and column from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub line: usize,
    pub column: usize,
}

impl Place {
    fn of(marker: &Marker) -> Self {
        Self { line: marker.line(), column: marker.col() + 1 }
    }
}

#[derive(Clone, Debug)]
pub struct Node {
    pub place: Place,
    pub kind: Kind,
}

#[derive(Clone, Debug)]
pub enum Kind {
    /// Text, and whether it was written in quotes.
    Scalar(String, bool),
    List(Vec<Node>),
    /// Keys in order, each with its place.
    Map(Vec<(String, Place, Node)>),
    /// Something that was a mistake and has been named.
    Nothing,
}

/// Nesting that settings never need.
const MAX_DEPTH: usize = 20;

/// Reads a document. What can be read is returned even where there are mistakes; after a mistake of syntax nothing
/// more can be.
pub fn read(text: &str, mistakes: &mut Vec<Mistake>) -> Option<Node> {
    let mut reader = Reader { events: Parser::new_from_str(text), mistakes, path: Vec::new() };
    let root = reader.document();
    reader.rest();
    root
}

struct Reader<'a, 'm> {
    events: Parser<'a, saphyr_parser::StrInput<'a>>,
    mistakes: &'m mut Vec<Mistake>,
    path: Vec<String>,
}

impl<'a> Reader<'a, '_> {
    fn mistake(&mut self, place: Place, message: impl Into<String>) {
        self.mistakes.push(Mistake { place, path: self.path.join("."), message: message.into() });
    }

    fn next(&mut self) -> Option<(Event<'a>, Span)> {
        match self.events.next()? {
            Ok(next) => Some(next),
            Err(error) => {
                let place = Place::of(error.marker());
                self.mistake(place, format!("not YAML: {}", error.info()));
                None
            }
        }
    }

    fn document(&mut self) -> Option<Node> {
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamStart | Event::DocumentStart(_) | Event::Nothing => {}
                Event::StreamEnd | Event::DocumentEnd => return None,
                event => return self.node(event, span, 0),
            }
        }
    }

    /// Behind the first document.
    fn rest(&mut self) {
        while let Some((event, span)) = self.next() {
            if let Event::DocumentStart(_) = event {
                self.mistake(Place::of(&span.start), "a second document: one file holds one task");
                return;
            }
            if let Event::StreamEnd = event {
                return;
            }
        }
    }

    /// The node that begins with `event`; `None` after a mistake of syntax.
    fn node(&mut self, event: Event<'a>, span: Span, depth: usize) -> Option<Node> {
        let place = Place::of(&span.start);
        if depth > MAX_DEPTH {
            self.mistake(place, "nested too deep");
            return None;
        }
        let (anchor, tagged) = match &event {
            Event::Scalar(_, _, anchor, tag) => (*anchor, tag.is_some()),
            Event::SequenceStart(anchor, tag) | Event::MappingStart(anchor, tag) => (*anchor, tag.is_some()),
            _ => (0, false),
        };
        if anchor != 0 || tagged {
            self.mistake(place, "anchors and tags are not supported");
        }
        let kind = match event {
            Event::Scalar(text, style, ..) => Kind::Scalar(text.into_owned(), style != ScalarStyle::Plain),
            Event::SequenceStart(..) => Kind::List(self.list(depth)?),
            Event::MappingStart(..) => Kind::Map(self.map(depth)?),
            _ => {
                self.mistake(place, "aliases are not supported");
                Kind::Nothing
            }
        };
        Some(Node { place, kind })
    }

    fn list(&mut self, depth: usize) -> Option<Vec<Node>> {
        let mut items = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if let Event::SequenceEnd = event {
                return Some(items);
            }
            self.path.push(format!("[{}]", items.len() + 1));
            let item = self.node(event, span, depth + 1);
            self.path.pop();
            items.push(item?);
        }
    }

    fn map(&mut self, depth: usize) -> Option<Vec<(String, Place, Node)>> {
        let mut entries: Vec<(String, Place, Node)> = Vec::new();
        loop {
            let (event, span) = self.next()?;
            let place = Place::of(&span.start);
            let key = match event {
                Event::MappingEnd => return Some(entries),
                Event::Scalar(text, ..) => text.into_owned(),
                other => {
                    self.mistake(place, "a key has to be plain text");
                    self.node(other, span, depth + 1)?;
                    String::new()
                }
            };
            self.path.push(key.clone());
            if entries.iter().any(|(known, ..)| *known == key) {
                self.mistake(place, "this key is there twice");
            }
            let (event, span) = self.next()?;
            let node = self.node(event, span, depth + 1);
            self.path.pop();
            entries.push((key, place, node?));
        }
    }
}
