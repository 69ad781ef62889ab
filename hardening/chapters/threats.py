"""What other people's videos and pages could do, what keeps them from it, and the tests that try."""

from __future__ import annotations

import ast
from pathlib import Path

from hardening.chapter import Chapter, Scale, Table

ROOT = Path(__file__).resolve().parents[2]
# threat, control, tests: FILE: TEST, TEST; FILE: TEST
THREATS = (
    (
        "decoder exploit, hang, memory bomb",
        "decoding in a child process with bounds on address space, processor time and silence; it is killed and named",
        "video/test_guard.py: test_a_crash_is_named, test_a_hang_is_ended, test_memory_is_bounded_by_the_kernel, "
        "test_processor_time_is_bounded_by_the_kernel, test_nonsense_is_not_believed, "
        "test_the_child_ends_with_its_parent",
    ),
    (
        "decompression bomb",
        "bounds on pixels (declared, and of every frame), length, frames, gaps and streams",
        "video/test_bad_files.py: test_huge_pictures_are_refused, test_a_header_of_a_thousand_million_frames, "
        "test_too_many_streams, test_limits_hold_for_what_is_decoded_without_a_declaration; "
        "video/test_reading.py: test_a_picture_far_behind_a_gap_is_damage; "
        "video/test_sound.py: test_sound_far_behind_a_gap_is_left_out",
    ),
    (
        "playlist, list of files, remote address",
        "the first bytes decide; formats and protocols on a list; no addresses",
        "video/test_bad_files.py: test_a_list_of_files_never_decodes_the_file_beside_it, "
        "test_what_it_is_instead_is_named",
    ),
    (
        "pickle",
        "safetensors and JSON; arrays never as objects; a test searches the tree",
        "test_public.py: test_nothing_is_ever_unpickled; features/test_arrays.py: test_objects_are_never_unpickled",
    ),
    (
        "half-written files",
        "a temporary file, synced, then moved in one step; a lock tells a live one; checksums",
        "features/test_store.py: test_a_file_is_whole_wherever_the_write_is_killed, "
        "test_what_killed_writes_left_goes_with_the_next_write; "
        "hardening/test_fuzz_readers.py: test_a_single_byte_that_changed_is_noticed",
    ),
    (
        "job lost or done twice",
        "a table of jobs, leases that are moved on, work that can be done again, recovery at the start",
        "library/test_jobs.py: test_a_job_is_done_by_one_worker_only, "
        "test_a_killed_worker_a_cancelled_job_and_a_restart_lose_nothing, "
        "test_a_job_that_kills_its_worker_three_times_is_not_tried_again",
    ),
    (
        "features of another recipe",
        "the recipe's hash in features and models; a mismatch names the difference",
        "cli/test_commands.py: test_features_of_another_recipe_are_refused_with_the_difference, "
        "test_a_model_of_another_recipe_says_what_it_needs",
    ),
    (
        "a hostile page drives the room",
        "this machine alone by default; names on a list; origin and proof on what writes; no sharing across origins",
        "web/test_security.py: test_a_room_answers_to_its_own_names_only, "
        "test_writes_that_another_sites_page_asks_for_are_refused, "
        "test_a_write_without_the_proof_of_a_page_is_refused, test_no_site_may_read_what_the_room_says",
    ),
    (
        "open to a network by accident",
        "any other address needs a password, or the room does not open",
        "web/test_security.py: test_a_room_is_not_opened_to_a_network_without_a_password, "
        "test_nothing_is_seen_or_done_without_the_password",
    ),
    (
        "paths that lead out",
        "opaque keys, one function that resolves",
        "web/test_security.py: test_no_name_leads_out_of_a_folder, test_links_do_not_lead_out_either",
    ),
    (
        "upload too large, too slow",
        "bytes are counted as they come, room on the disk is asked for, silence ends it, nothing is left behind",
        "web/test_security.py: test_one_byte_too_many_is_refused_and_leaves_nothing, "
        "test_an_upload_that_falls_silent_is_ended, test_a_connection_that_drops_leaves_nothing, "
        "test_an_upload_waits_for_room_on_the_disk",
    ),
    (
        "script in names and comments",
        "escaping everywhere, a policy that allows no script within pages, videos served as videos only",
        "web/test_security.py: test_names_and_comments_are_text, "
        "test_every_answer_says_what_a_browser_may_do_with_it, test_a_video_is_served_as_a_video_and_in_parts",
    ),
    (
        "privacy",
        "nothing leaves the machine; deleting removes every trace",
        "test_privacy.py: test_a_room_sends_no_packet; web/test_security.py: test_the_room_asks_nothing_of_any_network",
    ),
    (
        "false authority",
        "the spread beside every score, what it was trained on, whether the video is like that, a log of every use",
        "cli/test_trust.py: test_a_score_has_a_scale_with_an_interval, "
        "test_what_is_unlike_the_training_is_said_first, test_the_card_tells_trust_controls_and_limits; "
        "test_usage.py: test_scores_are_noted_and_come_out_by_the_command",
    ),
)


def named(tests: str) -> list[tuple[str, str]]:
    """File below tests/ and function of each test in a row's last cell.

    >>> named("a.py: one, two; b/c.py: three")
    [('a.py', 'one'), ('a.py', 'two'), ('b/c.py', 'three')]
    """
    files = (part.split(": ") for part in tests.split("; "))
    return [(file, test) for file, names in files for test in names.split(", ")]


def missing() -> list[str]:
    """Tests of the table that are not there."""
    there = {file for _, _, tests in THREATS for file, _ in named(tests)}
    functions = {file: _functions(ROOT / "tests" / file) for file in there}
    return [f"{file}: {test}" for _, _, tests in THREATS for file, test in named(tests) if test not in functions[file]]


def run(scale: Scale) -> Chapter:
    """The table; that the tests pass is for the tests to say."""
    rows = [[threat, control, ", ".join(f"`{test}`" for _, test in named(tests))] for threat, control, tests in THREATS]
    lead = (
        "Each threat that other people's videos and pages bring, what keeps them from it, and the tests that try; "
        "all of them run with every change."
    )
    return Chapter(lead, [Table(["threat", "control", "tests"], rows)], missing())


def _functions(path: Path) -> set[str]:
    if not path.is_file():
        return set()
    return {node.name for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)}
