//! Reads pickles of plain data without running anything.
//!
//! The official client sends a verifier's arguments as a pickle. Python's own reader would run code of the sender's choice; this one knows
//! only the opcodes that build None, booleans, numbers, text, lists, tuples and dictionaries, and refuses every other.
//! Opcode numbers and meanings: the annotated list in `CPython`'s `Lib/pickletools.py`.

use std::collections::HashMap;

use serde_json::{Map, Number, Value};

/// Values in one pickle after sharing is undone. Ten kilobytes of pickle can otherwise name a list of lists of lists without end.
const MOST_VALUES: usize = 1_000_000;

/// Text bytes after sharing is undone, for the same reason.
const MOST_TEXT: usize = 64 * 1024 * 1024;

/// Nesting of the resulting value.
const DEEPEST: usize = 200;

/// The bytes are not a pickle of plain data.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PickleError {
    /// The bytes end inside an instruction, or before the last one.
    #[error("the pickle is cut short at byte {at}")]
    Short {
        /// Offset.
        at: usize,
    },
    /// An instruction that would make an object other than plain data.
    #[error(
        "the pickle holds something other than plain data (opcode 0x{opcode:02x} at byte {at})"
    )]
    Unsupported {
        /// The instruction.
        opcode: u8,
        /// Offset.
        at: usize,
    },
    /// An instruction that does not fit what is on the stack, or an operand that is not what it says.
    #[error("the pickle is damaged at byte {at}: {what}")]
    Damaged {
        /// Offset.
        at: usize,
        /// What does not fit.
        what: &'static str,
    },
    /// A value that JSON cannot carry.
    #[error("the pickle holds {what}, which has no JSON form")]
    NoJson {
        /// What it is.
        what: &'static str,
    },
    /// Too many values, too much text or too deep nesting.
    #[error("the pickle is too large: {what}")]
    TooLarge {
        /// Which limit.
        what: &'static str,
    },
}

/// Reads one pickle of protocol 0 to 5 into JSON. Tuples become arrays; text keys stay, keys that are numbers or booleans are refused.
///
/// # Errors
/// See [`PickleError`].
pub fn decode(bytes: &[u8]) -> Result<Value, PickleError> {
    let mut machine = Machine {
        bytes,
        at: 0,
        stack: Vec::new(),
        marks: Vec::new(),
        nodes: Vec::new(),
        memo: HashMap::new(),
    };
    let root = machine.run()?;
    let mut budget = Budget {
        values: MOST_VALUES,
        text: MOST_TEXT,
    };
    machine.to_json(root, 0, &mut budget)
}

/// Index into [`Machine::nodes`]: lists and dictionaries are filled after they were memorised, so values are shared by place.
type Place = usize;

enum Node {
    Value(Value),
    List(Vec<Place>),
    Dict(Vec<(Place, Place)>),
}

struct Budget {
    values: usize,
    text: usize,
}

impl Budget {
    fn take(&mut self, text: usize) -> Result<(), PickleError> {
        self.values = self.values.checked_sub(1).ok_or(PickleError::TooLarge {
            what: "too many values",
        })?;
        self.text = self.text.checked_sub(text).ok_or(PickleError::TooLarge {
            what: "too much text",
        })?;
        Ok(())
    }
}

struct Machine<'bytes> {
    bytes: &'bytes [u8],
    at: usize,
    stack: Vec<Place>,
    marks: Vec<usize>,
    nodes: Vec<Node>,
    memo: HashMap<u64, Place>,
}

impl<'bytes> Machine<'bytes> {
    fn run(&mut self) -> Result<Place, PickleError> {
        loop {
            let start = self.at;
            let opcode = self.take(1)?[0];
            match opcode {
                b'.' => return self.pop(),
                0x80 => drop(self.take(1)?), // PROTO
                0x95 => drop(self.take(8)?), // FRAME: a hint for buffering only
                b'N' => self.push(Node::Value(Value::Null)),
                0x88 => self.push(Node::Value(Value::Bool(true))),
                0x89 => self.push(Node::Value(Value::Bool(false))),
                b'K' | b'M' | b'J' | b'I' | b'L' | 0x8a | 0x8b | b'F' | b'G' => {
                    self.number(opcode)?;
                }
                0x8c | b'X' | 0x8d | b'V' => self.text(opcode)?,
                b']' | b')' => self.push(Node::List(Vec::new())),
                b'}' => self.push(Node::Dict(Vec::new())),
                b'(' => self.marks.push(self.stack.len()),
                b'l' | b't' => {
                    let items = self.pop_to_mark()?;
                    self.push(Node::List(items));
                }
                0x85..=0x87 => {
                    let count = usize::from(opcode - 0x84);
                    let from = self
                        .stack
                        .len()
                        .checked_sub(count)
                        .filter(|from| *from >= self.floor());
                    let from = from.ok_or(PickleError::Damaged {
                        at: start,
                        what: "a tuple of more than there is",
                    })?;
                    let items = self.stack.split_off(from);
                    self.push(Node::List(items));
                }
                b'd' => {
                    let items = self.pop_to_mark()?;
                    let pairs = pairs(&items, start)?;
                    self.push(Node::Dict(pairs));
                }
                b'a' => {
                    let item = self.pop()?;
                    self.list(start)?.push(item);
                }
                b'e' => {
                    let items = self.pop_to_mark()?;
                    self.list(start)?.extend(items);
                }
                b's' => {
                    let value = self.pop()?;
                    let key = self.pop()?;
                    self.dict(start)?.push((key, value));
                }
                b'u' => {
                    let items = self.pop_to_mark()?;
                    let pairs = pairs(&items, start)?;
                    self.dict(start)?.extend(pairs);
                }
                b'0' => drop(self.pop()?),
                b'1' => drop(self.pop_to_mark()?),
                b'2' => {
                    let top = *self.top()?;
                    self.stack.push(top);
                }
                0x94 => {
                    let top = *self.top()?;
                    self.memo.insert(self.memo.len() as u64, top);
                }
                b'q' | b'r' | b'p' => {
                    let index = self.memo_index(opcode)?;
                    let top = *self.top()?;
                    self.memo.insert(index, top);
                }
                b'h' | b'j' | b'g' => {
                    let index = self.memo_index(opcode)?;
                    let place = self.memo.get(&index).ok_or(PickleError::Damaged {
                        at: start,
                        what: "an unknown memo entry",
                    })?;
                    self.stack.push(*place);
                }
                opcode => return Err(PickleError::Unsupported { opcode, at: start }),
            }
        }
    }

    fn number(&mut self, opcode: u8) -> Result<(), PickleError> {
        let at = self.at;
        let damaged = |what| PickleError::Damaged { at, what };
        let value = match opcode {
            b'K' => Value::from(self.take(1)?[0]),
            b'M' => Value::from(u16::from_le_bytes(self.array()?)),
            b'J' => Value::from(i32::from_le_bytes(self.array()?)),
            b'I' => match self.line()? {
                "01" => Value::Bool(true),
                "00" => Value::Bool(false),
                digits => Value::from(
                    digits
                        .parse::<i64>()
                        .map_err(|_| damaged("not an integer"))?,
                ),
            },
            b'L' => {
                let digits = self.line()?;
                let digits = digits.strip_suffix('L').unwrap_or(digits);
                Value::from(digits.parse::<i64>().map_err(|_| PickleError::NoJson {
                    what: "an integer beyond 64 bits",
                })?)
            }
            0x8a | 0x8b => {
                let length = if opcode == 0x8a {
                    self.take(1)?[0].into()
                } else {
                    u64::from(u32::from_le_bytes(self.array()?))
                };
                long(self.take_long(length)?)?
            }
            b'F' => real(self.line()?.parse().map_err(|_| damaged("not a number"))?)?,
            _ => real(f64::from_be_bytes(self.array()?))?,
        };
        self.push(Node::Value(value));
        Ok(())
    }

    fn text(&mut self, opcode: u8) -> Result<(), PickleError> {
        let at = self.at;
        let length = match opcode {
            0x8c => self.take(1)?[0].into(),
            b'X' => u32::from_le_bytes(self.array()?).into(),
            0x8d => u64::from_le_bytes(self.array()?),
            // Protocol 0 text has escapes of its own; no client that speaks this API sends it.
            _ => return Err(PickleError::Unsupported { opcode, at: at - 1 }),
        };
        // Lone surrogates, which Python writes as three bytes that are not UTF-8, cannot be text here.
        let text =
            std::str::from_utf8(self.take_long(length)?).map_err(|_| PickleError::NoJson {
                what: "text that is not Unicode",
            })?;
        self.push(Node::Value(Value::String(text.to_owned())));
        Ok(())
    }

    fn memo_index(&mut self, opcode: u8) -> Result<u64, PickleError> {
        let at = self.at;
        Ok(match opcode {
            b'q' | b'h' => self.take(1)?[0].into(),
            b'r' | b'j' => u32::from_le_bytes(self.array()?).into(),
            _ => self.line()?.parse().map_err(|_| PickleError::Damaged {
                at,
                what: "not a memo index",
            })?,
        })
    }

    fn take(&mut self, count: usize) -> Result<&'bytes [u8], PickleError> {
        let taken = self.bytes[self.at..]
            .get(..count)
            .ok_or(PickleError::Short { at: self.at })?;
        self.at += count;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], PickleError> {
        Ok(self
            .take(N)?
            .try_into()
            .expect("take returns as many bytes as asked for"))
    }

    fn line(&mut self) -> Result<&'bytes str, PickleError> {
        let rest = &self.bytes[self.at..];
        let end = rest
            .iter()
            .position(|byte| *byte == b'\n')
            .ok_or(PickleError::Short { at: self.at })?;
        let at = self.at;
        self.at += end + 1;
        std::str::from_utf8(&rest[..end]).map_err(|_| PickleError::Damaged {
            at,
            what: "not text",
        })
    }

    fn take_long(&mut self, count: u64) -> Result<&'bytes [u8], PickleError> {
        self.take(usize::try_from(count).map_err(|_| PickleError::Short { at: self.at })?)
    }

    fn push(&mut self, node: Node) {
        self.nodes.push(node);
        self.stack.push(self.nodes.len() - 1);
    }

    /// Values below the innermost mark belong to an outer collection.
    fn floor(&self) -> usize {
        self.marks.last().copied().unwrap_or(0)
    }

    fn pop(&mut self) -> Result<Place, PickleError> {
        if self.stack.len() <= self.floor() {
            return Err(PickleError::Damaged {
                at: self.at,
                what: "nothing on the stack",
            });
        }
        self.stack.pop().ok_or(PickleError::Damaged {
            at: self.at,
            what: "nothing on the stack",
        })
    }

    fn pop_to_mark(&mut self) -> Result<Vec<Place>, PickleError> {
        let mark = self.marks.pop().ok_or(PickleError::Damaged {
            at: self.at,
            what: "no mark",
        })?;
        Ok(self.stack.split_off(mark))
    }

    fn top(&mut self) -> Result<&mut Place, PickleError> {
        let at = self.at;
        self.stack.last_mut().ok_or(PickleError::Damaged {
            at,
            what: "nothing on the stack",
        })
    }

    fn list(&mut self, at: usize) -> Result<&mut Vec<Place>, PickleError> {
        let place = *self.top()?;
        match &mut self.nodes[place] {
            Node::List(items) => Ok(items),
            _ => Err(PickleError::Damaged {
                at,
                what: "not a list",
            }),
        }
    }

    fn dict(&mut self, at: usize) -> Result<&mut Vec<(Place, Place)>, PickleError> {
        let place = *self.top()?;
        match &mut self.nodes[place] {
            Node::Dict(pairs) => Ok(pairs),
            _ => Err(PickleError::Damaged {
                at,
                what: "not a dictionary",
            }),
        }
    }

    fn to_json(
        &self,
        place: Place,
        depth: usize,
        budget: &mut Budget,
    ) -> Result<Value, PickleError> {
        if depth > DEEPEST {
            return Err(PickleError::TooLarge {
                what: "nested too deep, or in itself",
            });
        }
        match &self.nodes[place] {
            Node::Value(value) => {
                budget.take(value.as_str().map_or(0, str::len))?;
                Ok(value.clone())
            }
            Node::List(items) => {
                budget.take(0)?;
                items
                    .iter()
                    .map(|item| self.to_json(*item, depth + 1, budget))
                    .collect()
            }
            Node::Dict(pairs) => {
                budget.take(0)?;
                let mut map = Map::new();
                for (key, value) in pairs {
                    let Node::Value(Value::String(key)) = &self.nodes[*key] else {
                        return Err(PickleError::NoJson {
                            what: "a dictionary key that is not text",
                        });
                    };
                    budget.take(key.len())?;
                    map.insert(key.clone(), self.to_json(*value, depth + 1, budget)?);
                }
                Ok(Value::Object(map))
            }
        }
    }
}

fn pairs(items: &[Place], at: usize) -> Result<Vec<(Place, Place)>, PickleError> {
    let (pairs, rest) = items.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(PickleError::Damaged {
            at,
            what: "a key without a value",
        });
    }
    Ok(pairs.iter().map(|[key, value]| (*key, *value)).collect())
}

fn real(number: f64) -> Result<Value, PickleError> {
    Number::from_f64(number)
        .map(Value::Number)
        .ok_or(PickleError::NoJson {
            what: "a number that is not finite",
        })
}

/// A little-endian two's-complement integer of any length.
fn long(bytes: &[u8]) -> Result<Value, PickleError> {
    const WIDTH: usize = 16;
    let too_wide = PickleError::NoJson {
        what: "an integer beyond 64 bits",
    };
    if bytes.len() > WIDTH {
        return Err(too_wide);
    }
    let sign = if bytes.last().is_some_and(|byte| byte & 0x80 != 0) {
        0xff
    } else {
        0
    };
    let mut wide = [sign; WIDTH];
    wide[..bytes.len()].copy_from_slice(bytes);
    let number = i128::from_le_bytes(wide);
    i64::try_from(number)
        .map(Value::from)
        .or_else(|_| u64::try_from(number).map(Value::from))
        .map_err(|_| too_wide)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Written by `CPython` 3.11: `pickle.dumps({"args": (None, "done", {"env": "a1b2c3d4"}), "kwargs": {"final_answer": "é😀", "n": [1, -2, 70000, 2**40, 2.5, True, None]}}, 5)`.
    const PROTOCOL_5: &str = "80059576000000000000007d94288c0461726773944e8c04646f6e65947d948c03656e76948c086131623263336434947387948c066b7761726773947d94288c0c66696e616c5f616e73776572948c06c3a9f09f9880948c016e945d94284b014afeffffff4a701101008a06000000000001474004000000000000884e6575752e";

    #[test]
    fn reads_what_python_writes() {
        let bytes = hex::decode(PROTOCOL_5).unwrap();
        assert_eq!(
            decode(&bytes).unwrap(),
            json!({"args": [null, "done", {"env": "a1b2c3d4"}], "kwargs": {"final_answer": "é😀", "n": [1, -2, 70000, 1_099_511_627_776_i64, 2.5, true, null]}})
        );
    }

    #[test]
    fn refuses_every_way_to_call_something() {
        // cos\nsystem\n(S'id'\ntR.  and its protocol 4 form
        for bytes in [
            &b"cos\nsystem\n(X\x02\x00\x00\x00idtR."[..],
            b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x02id\x85R.",
        ] {
            assert!(
                matches!(decode(bytes), Err(PickleError::Unsupported { .. })),
                "{bytes:?}"
            );
        }
    }

    #[test]
    fn a_list_in_itself_ends_in_an_error() {
        // ] MEMOIZE BINGET 0 APPEND STOP
        assert!(matches!(
            decode(b"\x80\x04]\x94h\x00a."),
            Err(PickleError::TooLarge { .. })
        ));
    }

    #[test]
    fn sharing_cannot_be_used_to_grow_without_end() {
        // Each level is a tuple of the level below, three times.
        let mut bytes = b"\x80\x04X\x01\x00\x00\x00a\x94".to_vec();
        for level in 0..40_u8 {
            bytes.extend([b'h', level, b'h', level, b'h', level, 0x87, 0x94]);
        }
        bytes.push(b'.');
        assert!(matches!(decode(&bytes), Err(PickleError::TooLarge { .. })));
    }

    #[test]
    fn every_cut_and_every_flipped_byte_is_an_error_or_a_value() {
        let bytes = hex::decode(PROTOCOL_5).unwrap();
        for end in 0..bytes.len() {
            assert!(decode(&bytes[..end]).is_err(), "cut at {end}");
        }
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut flipped = bytes.clone();
                flipped[at] ^= 1 << bit;
                drop(decode(&flipped)); // must not panic or hang
            }
        }
    }
}
