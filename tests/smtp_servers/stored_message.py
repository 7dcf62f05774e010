"""Looks at one stored message as a mail program reads it, and returns what is wrong."""

import csv
import html
import io
import json
import re
from email import message_from_bytes, policy

# RFC 5322 says at most 998 bytes, and better 78.
LONGEST, FOLDED = 998, 78
# Headers that a server adds.
FOREIGN = re.compile(rb"(?i)(received|return-path|delivered-to|x-original-to|envelope-to|x-rcptto|dkim|\s)")


def squeezed(text):
    # Directions are marked in the HTML form by <bdi>.
    return re.sub(r"\s+", "", text).lower()


def words_of(page):
    page = re.sub(r"(?s)<(style|title|head)\b.*?</\1>", " ", page)
    return squeezed(html.unescape(re.sub(r"<[^>]*>", "", page)))


def look(raw):
    """Returns the message, its structure, the longest line, and the faults."""
    faults = []
    if b"\r\n" in raw:
        if re.search(rb"(?<!\r)\n|\r(?!\n)", raw):
            faults.append("bare LF or CR")
    elif b"\r" in raw:
        faults.append("bare CR")
    lines = re.split(rb"\r?\n", raw)
    longest = max(map(len, lines))
    if longest > LONGEST:
        faults.append(f"a line of {longest} bytes")
    head = lines[: lines.index(b"")]
    ours = True
    for line in head:
        ours = not FOREIGN.match(line) if not line[:1].isspace() else ours
        if ours and len(line) > FOLDED:
            faults.append(f"header not folded, {len(line)} bytes: {line[:40].decode(errors='replace')}…")
        if ours and not line.isascii():
            faults.append(f"header is not ASCII: {line[:40]!r}")
    message = message_from_bytes(raw, policy=policy.default)
    for part in message.walk():
        faults += [f"{part.get_content_type()}: {type(fault).__name__}" for fault in part.defects]
        for name, value in part.items():
            faults += [f"{name}: {type(fault).__name__}" for fault in getattr(value, "defects", [])]
    for name in ("From", "To", "Date", "Message-ID", "Subject", "Auto-Submitted"):
        if len(message.get_all(name, [])) != 1:
            faults.append(f"{len(message.get_all(name, []))} headers {name}")
    faults += agree(message)
    return message, structure(message), longest, faults


def structure(part):
    if part.is_multipart():
        return f"{part.get_content_subtype()}({', '.join(structure(inner) for inner in part.iter_parts())})"
    return part.get_filename() or part.get_content_subtype()


def agree(message):
    plain, page = message.get_body(("plain",)), message.get_body(("html",))
    if not plain or not page:
        return ["no text, or no HTML"]
    text, seen, faults = plain.get_content(), words_of(page.get_content()), []
    for number, paragraph in enumerate(re.split(r"\n\s*\n", text.replace("\r\n", "\n").strip())):
        paragraph = squeezed(paragraph)
        # The text form ends the headline with a full stop.
        if (paragraph.removesuffix(".") if number == 0 else paragraph) not in seen:
            faults.append(f"only in the text: {paragraph[:60]}")
    for part in message.iter_attachments():
        content, name = part.get_content(), part.get_filename()
        content = content.decode("utf-8-sig") if isinstance(content, bytes) else content.removeprefix("\ufeff")
        if name.endswith(".csv"):
            rows = list(csv.reader(io.StringIO(content, newline=""), strict=True))
            if len(rows) < 2 or len({len(row) for row in rows}) != 1:
                faults.append(f"{name}: {len(rows)} rows")
        elif name.endswith(".json"):
            if not all(head["seq"] > 0 and len(head["hash"]) == 64 for head in json.loads(content)):
                faults.append(f"{name} has no heads")
        elif not content.startswith("<!DOCTYPE html>") or not content.rstrip().endswith("</html>"):
            faults.append(f"{name} is not a whole page")
    return faults
