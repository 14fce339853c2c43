//! HTTP/2 by hand, to break its rules (RFC 9113).

/// A client's first words, with empty settings.
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const CONTINUATION: u8 = 9;
const END_HEADERS: u8 = 4;

/// `:method POST`, `:scheme https`, `:path /`, from HPACK's static table.
const POST: &[u8] = &[0x83, 0x87, 0x84];

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a frame's length").to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend_from_slice(payload);
    frame
}

/// A request that is opened and reset at once.
#[must_use]
pub fn opened_and_reset(stream: u32) -> Vec<u8> {
    [frame(HEADERS, END_HEADERS, stream, POST), frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes())].concat()
}

/// A request whose body does not come.
#[must_use]
pub fn opened(stream: u32) -> Vec<u8> {
    frame(HEADERS, END_HEADERS, stream, POST)
}

/// A request whose headers do not end.
#[must_use]
pub fn begun(stream: u32) -> Vec<u8> {
    frame(HEADERS, 0, stream, POST)
}

/// More of such headers: a field of some 16 KB, named differently each time and not to be indexed.
#[must_use]
pub fn more_headers(stream: u32, number: u32) -> Vec<u8> {
    let (name, value) = (format!("x-{number:08}"), vec![b'x'; 16_000]);
    let mut field = vec![0, u8::try_from(name.len()).expect("a short name")];
    field.extend(name.as_bytes());
    // An integer of seven bits and more (RFC 7541, section 5.1).
    let mut rest = value.len() - 127;
    field.push(127);
    while rest >= 128 {
        field.push(u8::try_from(rest % 128).expect("seven bits") | 128);
        rest /= 128;
    }
    field.push(u8::try_from(rest).expect("seven bits"));
    field.extend(value);
    frame(CONTINUATION, 0, stream, &field)
}
