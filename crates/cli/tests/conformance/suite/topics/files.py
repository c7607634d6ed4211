"""Files of an instance: what changed, what is in them, what documents say."""

import io
import zipfile

from ..cases import case
from ..checks import equal, now, raises, that
from ..desk import request

# The app of this environment writes what it is sent into the instance's folder.
ENVIRONMENT = "office"


async def _write(env, path, content):
    data = content if isinstance(content, bytes) else content.encode()
    await request("POST", f"{env.urls.app[0]}write", {"path": path, "hex": data.hex()})


def _document(text):
    """The least that is a word processor's document."""
    body = ('<?xml version="1.0"?><w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:body>'
            f"<w:p><w:r><w:t>{text}</w:t></w:r></w:p></w:body></w:document>")
    kinds = ('<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
             '<Default Extension="xml" ContentType="application/xml"/>'
             '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
             '<Override PartName="/word/document.xml" '
             'ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/></Types>')
    links = ('<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
             '<Relationship Id="r1" Target="word/document.xml" '
             'Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument"/></Relationships>')
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as archive:
        archive.writestr("[Content_Types].xml", kinds)
        archive.writestr("_rels/.rels", links)
        archive.writestr("word/document.xml", body)
    return whole.getvalue()


@case("Env.fs Instance.fs Filesystem.diff FilesystemDiff.expect_no_changes FilesystemDiff.expect_only FilesystemDiff.expect_exactly")
async def files_that_changed_are_told(sdk):
    async with sdk.instance(ENVIRONMENT) as env:
        await now((await now(env.fs().diff())).expect_no_changes())
        await now((await now(env.instance.fs().diff())).expect_exactly([]))

        await _write(env, "notes/today.txt", "Buy stamps\n")
        diff = await now(env.fs().diff())
        (entry,) = diff.files
        that(f"its path: {entry.path}", entry.path.endswith("notes/today.txt"))
        equal("its size and content", (entry.size, entry.content), (11, "Buy stamps\n"))
        equal("the sums", (diff.total_files, diff.total_size), (1, 11))
        spec = {"path": entry.path, "content": "Buy stamps\n", "content_contains": "stamps", "size": 11, "file_type": ...}
        for name in ("expect_only", "expect_exactly"):
            await now(getattr(diff, name)([spec]))
            await raises(f"{name}: other content", AssertionError, lambda: getattr(diff, name)([{**spec, "content": "x"}]))
            await raises(f"{name}: another file", AssertionError, lambda: getattr(diff, name)([{"path": "/other"}]))
            await raises(f"{name}: nothing", AssertionError, lambda: getattr(diff, name)([]))
        await raises("a change", AssertionError, diff.expect_no_changes)


@case("FilesystemDiff.expect_exactly Filesystem.doc_text")
async def documents_that_changed_are_read(sdk):
    async with sdk.instance(ENVIRONMENT) as env:
        await _write(env, "letter.docx", _document("Dear Ada"))
        diff = await now(env.fs().diff())
        (entry,) = diff.files
        await now(diff.expect_exactly([{"path": entry.path, "doc_text_contains": "Dear Ada"}]))
        wrong = [{"path": entry.path, "doc_text_contains": "Dear Bob"}]
        await raises("another text", AssertionError, lambda: diff.expect_exactly(wrong))


@case("Filesystem.file Filesystem.file_text")
async def one_file_is_read(sdk):
    async with sdk.instance(ENVIRONMENT) as env:
        await _write(env, "today.txt", "Buy stamps ä\n")
        (entry,) = (await now(env.fs().diff())).files
        found = await now(env.fs().file(entry.path))
        equal("its content", (found.exists, found.content, found.size), (True, "Buy stamps ä\n", 14))
        bare = await now(env.fs().file(entry.path, include_content=False))
        equal("without its content", (bare.exists, bare.content, bare.size), (True, None, 14))
        equal("as text", await now(env.fs().file_text(entry.path)), "Buy stamps ä\n")
        missing = await now(env.fs().file(entry.path + ".not"))
        equal("one that is not there", (missing.success, missing.exists, missing.content), (True, False, None))


@case("Filesystem.doc_text Filesystem.doc_metadata Filesystem.doc_structured")
async def one_document_is_read(sdk):
    async with sdk.instance(ENVIRONMENT) as env:
        await _write(env, "letter.docx", _document("Dear Ada"))
        (entry,) = (await now(env.fs().diff())).files
        that("its text", "Dear Ada" in await now(env.fs().doc_text(entry.path)))
        metadata = await now(env.fs().doc_metadata(entry.path))
        equal("what it is", (metadata.success, metadata.path, metadata.file_type.lstrip(".")), (True, entry.path, "docx"))
        structured = await now(env.fs().doc_structured(entry.path))
        equal("its structure", (structured.success, structured.path), (True, entry.path))
        that(f"has the text: {structured.data}", "Dear Ada" in str(structured.data))
