"""Every number that a score depends on, in one place.

Takes: nothing. Gives: weights and limits. Does not know: how a signal is measured.

Provenance: 2026-11-20. Learned by `benchmarks/localization.py --fit` on the 412 tasks of the
development part, list-wise softmax, penalty 0.1, checked with each repository held out; given here
twice as large, so that they stand to `spectrum` and the suggestions, which no task measures, as
before. File weights: run 1, by the changed files. Item weights: run 2, by the items that hold
changed lines. `mention.path`, `.module`, `.stem`, `.traceback` and `.test` of files are at the
least value that the run allows (people name files more often than issues do); `history.cochange`
and `history.recent` were learned as 0 and keep a trace for what has no other sign; `member.score`
(learned: 0) keeps an outline beside its method. Nothing here was fitted to the test part of that
suite.
"""

from __future__ import annotations

from types import MappingProxyType

# What a full-weight signal of value 1 adds to a file's score.
SCOPE_WEIGHTS = MappingProxyType(
    {
        "text.whole": 0.19,  # BM25, all columns alike, cleaned text
        "text.names": 0.23,  # BM25 over names of definitions
        "text.fields": 0.19,  # BM25 by field, cleaned text + title + half the error lines
        "text.title": 0.49,  # the same for the title alone
        "mention.path": 0.60,
        "mention.module": 0.22,
        "mention.stem": 0.22,
        "mention.symbol": 0.31,
        "mention.traceback": 0.22,
        "mention.test": 1.20,
        "mention.suggested": 0.20,  # a model named it, the task did not
        "text.suggested": 0.20,  # BM25 of the words that a model would look for
        "history.title": 0.35,  # past fixes, title
        "history.best": 0.41,  # the single most similar past fix
        "tests.cochange": 0.28,
        "graph.pagerank": 0.19,
        "history.cochange": 0.02,
        "history.recent": 0.02,
        "text.specific": 0.42,  # BM25, all columns alike, without words of plain English
        "path.words": 0.36,  # BM25 of the path alone, text + title + half the error lines
        "names.title": 0.36,  # one definition's name says what the title says
        "near.directory": 0.27,  # the best other file of the directory
        "history.quiet": 0.24,  # few commits: what is changed often holds every word
        "spectrum": 2.00,  # where failing tests went and passing ones did not
        "embed.cosine": 0.20,  # only where [embed] is on; learned apart, all others as they are
    }
)

# What is left of the score of a file that is seldom the place of a fix.
ROLE_FACTORS = MappingProxyType(
    {
        "test": 0.35,
        "documentation": 0.30,
        "configuration": 0.30,
        "example": 0.40,
        "vendored": 0.25,
        "generated": 0.25,
    }
)

SYMBOL_WEIGHTS = MappingProxyType(
    {
        "text.symbol": 1.00,
        "text.title": 0.56,
        "mention.symbol": 0.38,
        "mention.traceback": 0.31,
        "mention.path": 0.60,  # of a file that is one item
        "mention.suggested": 0.30,
        "text.suggested": 0.30,
        "graph.target": 0.15,
        "name.words": 0.34,  # the task says the item's own name, or part of it
        "form.small": -1.10,  # by the logarithm of its bytes
        "form.outline": -0.50,
        "file.score": 1.44,
        "member.score": 0.20,  # an outline or a header follows its best member
        "spectrum": 1.50,
    }
)

# Columns of blob_search: names, prose, identifiers.
WHOLE_COLUMNS = (1.0, 1.0, 1.0)
FIELD_COLUMNS = (4.0, 0.8, 1.0)
NAME_COLUMNS = (1.0, 0.0, 0.0)
PATH_LEAST = 0.01  # BM25 of parts that nearly all paths have: no signal
LITTLE = 0.01  # of the best fielded score: words that say nothing of a file
PATH_FIELD = 1.0  # share of the path's own BM25 in the fielded score
COMMIT_COLUMNS = (1.0, 1.0)  # subject, body

QUERY_TERMS = 400  # distinct words of one task that are looked up
BLOB_POSTINGS = 12_000  # rows read for all terms together, rarest terms first
COMMIT_POSTINGS = 8_000
SUGGESTED_POSTINGS = 4_000
SUGGESTED_FILES = 60  # files that suggested words alone may propose
COMMON_SHARE = 0.35  # a term in more than this share of all rows tells nothing

NAMED_FILES = 120  # files whose definitions are compared with the title by name
EMBED_FILES = 40  # files that the embedding alone may propose
EMBED_BEST_CHUNKS = 1  # nearest chunks of a file that its cosine is the mean of
TEXT_FILES = 500  # files that text alone may propose
PAST_COMMITS = 100
PAST_COMMIT_FILES = 20  # a wider commit does not vote
BRIDGE_TESTS = 30
BRIDGE_FILES = 40  # files one test may vote for
SEEDS = 10
SEED_EDGES = 400
SYMBOL_SPREAD = 60  # a name with more definitions marks nothing

SCOPE_RECORDED = 300
SCOPE_FILES = 20
SCOPE_FLOOR = 0.25
SYMBOLS_RECORDED = 300
# Of two items that say as much of the task the one with fewer tokens is put in first. Measured
# with 0.03 to 0.31: most changed lines in 8k tokens from 0.14 to 0.24, fewer on either side.
DEARNESS = 0.17
# Tuned by eye on sixteen texts about two repositories: a named function gives itself, what calls
# it or is called by it, and few more.
SYMBOL_FLOOR = 0.70
FULL_ROOM = 8_000  # tokens; in n times the room the floors are lower by sqrt(n)
FEW = 8  # the first ones, which need only
FEW_FLOOR = 0.55
POINTED = 0.5  # a mention of this value or more (at most four files share it) passes the floor
GUESS_COVERAGE = 0.25  # an item with less of the task's words, and with
GUESS_WORDS = 4  # fewer than these, is a guess; where no better one is found, the room is one
GUESS_ITEMS = 12
GUESS_TOKENS = 6_000
HELPERS = 6  # callers and callees of what is named that pass the floor with it
FAR_HELPER = 0.4  # what is left of the signal of the others
SYMBOL_ITEMS = 120
UNNAMED_ITEMS = 20  # where the task names no item
INSTRUCTION_SHARE = 0.25  # of the room: what instruction files may take together
INSTRUCTION_FILES = 8
WHOLE_FILE_SHARE = 0.10  # of the budget: a file this small is shown whole
WHOLE_FILE_TOKENS = 1_200
SEARCH_WHOLE_BYTES = 2_000  # `cra search` shows a smaller file as one chunk
