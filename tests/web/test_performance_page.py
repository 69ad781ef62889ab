"""The performance page in a real browser, on a real server."""

import statistics
from html.parser import HTMLParser

import pytest

from toprock.library import catalogue, intake, tables

from .rooms import until
from .shelf import HOSTILE, work

NOW = "document.getElementById('video').currentTime"
SETTLED = "!document.getElementById('video').seeking && document.getElementById('video').readyState >= 2"
CLICK_TO_PICTURE = """async (id) => {
  const video = document.getElementById("video");
  const seen = new Promise((resolve) => video.addEventListener("seeked", resolve, { once: true }));
  const before = performance.now();
  document.querySelector('[data-go="' + id + '"]').click();
  await seen;
  return (performance.now() - before) / 1000;
}"""

ONLY_VIDEOS = """
  HTMLVideoElement.prototype.webkitEnterFullscreen = Element.prototype.requestFullscreen;
  delete Element.prototype.requestFullscreen;
"""


def moments(room, shelf, name):
    """Name of a moment -> when it starts, in order of time."""
    document = room.ask("GET", f"/api/v1/performances/{shelf.keys[name]}/assessment").json
    numbers = {"best": 0, "worst": 0}
    found = []
    for m in document["moments"]:
        numbers[m["kind"]] += 1
        found.append((f"{m['kind']}-{numbers[m['kind']]}", m["start_s"], m["end_s"]))
    return sorted(found, key=lambda m: m[1])


def test_a_click_on_a_moment_shows_its_picture_within_half_a_second_in_three_minutes(tab, address, room, shelf):
    page = tab(address("long"))
    until(page, SETTLED)
    wanted = moments(room, shelf, "long")
    assert wanted[-1][1] > 150 and page.evaluate("document.getElementById('video').duration") > 179
    took = []
    for name, start_s, _ in [wanted[-1], wanted[0], wanted[-2], wanted[1]]:
        took.append(page.evaluate(CLICK_TO_PICTURE, name))
        assert page.evaluate(NOW) == pytest.approx(start_s, abs=0.05)
    assert statistics.median(took) < 0.5, took


def test_three_minutes_are_interactive_within_a_second(tab, address):
    page = tab(address("long"))  # what is loaded once for all pages is there after this
    took = []
    for _ in range(3):
        page = tab(address("long"))
        took.append(page.evaluate("performance.getEntriesByName('ready')[0].startTime") / 1000)
    assert min(took) < 1.0, took


def test_links_open_the_page_at_a_moment_and_at_a_time(tab, address, room, shelf):
    page = tab(address("ami", "?t=3.5"))
    until(page, SETTLED)
    assert page.evaluate(NOW) == pytest.approx(3.5, abs=0.05)
    name, start_s, _ = moments(room, shelf, "ami")[-1]
    tab(address("ami", f"?moment={name}"))
    until(page, SETTLED)
    assert page.evaluate(NOW) == pytest.approx(start_s, abs=0.05)
    assert page.locator(".moment.now").get_attribute("data-id") == name
    page.locator(f"[data-copy-link={name}]").click()
    link = page.evaluate("navigator.clipboard.readText()")
    assert link == address("ami", f"?moment={name}&model={shelf.keys['model']}&t={start_s:.1f}")
    tab(address("ami", "?t=2.2"))
    until(page, SETTLED)
    page.get_by_role("button", name="Copy a link to this time").click()
    assert page.evaluate("navigator.clipboard.readText()") == address("ami", "?t=2.2")
    assert page.locator(".notice").count() == 0


def test_what_cannot_be_copied_is_shown_to_be_copied_by_hand(tab, address):
    page = tab(address("ami", "?t=2"))
    page.evaluate("delete Navigator.prototype.clipboard")
    page.locator("[data-link]").click()
    page.locator(".toast").wait_for()
    assert page.locator("dialog[open]").count() == 0
    page.evaluate("document.execCommand = () => false")
    page.locator("[data-link]").click()
    field = page.locator("dialog[open] input")
    assert field.input_value() == address("ami", "?t=2.0")
    assert page.evaluate("getSelection().toString()") == field.input_value()
    assert page.locator(".toast").count() == 1
    page.keyboard.press("Escape")
    until(page, "document.activeElement === document.querySelector('[data-link]')")
    assert page.locator("dialog[open]").count() == 0


def test_a_link_to_a_moment_of_a_model_that_is_gone_opens_at_its_second_and_says_so(tab, address):
    page = tab(address("ami", f"?moment=worst-1&model={'f' * 16}&t=3.3"))
    until(page, SETTLED)
    assert page.evaluate(NOW) == pytest.approx(3.3, abs=0.05)
    said = page.locator(".notice").inner_text()
    assert "is no longer here" in said and "moment" in said and "Season 2026" in said
    page = tab(address("ami", "?moment=worst-99&t=3.3"))
    until(page, SETTLED)
    assert page.evaluate(NOW) == pytest.approx(3.3, abs=0.05)
    assert "no longer named" in page.locator(".notice").inner_text()


def test_keys_jump_step_slow_down_and_loop(tab, address, room, shelf):
    page = tab(address("ami"))
    until(page, SETTLED)
    starts = [start_s for _, start_s, _ in moments(room, shelf, "ami") if start_s > 0.06]
    for wanted in starts[:2]:
        page.keyboard.press("ArrowRight")
        assert page.evaluate(NOW) == pytest.approx(wanted, abs=0.05)
    page.keyboard.press("ArrowLeft")
    assert page.evaluate(NOW) == pytest.approx(starts[0], abs=0.05)
    until(page, SETTLED)
    before = page.evaluate(NOW)
    for _ in range(4):
        page.keyboard.press(".")
    until(page, f"{SETTLED} && !document.querySelector('.still')")
    assert page.evaluate(NOW) == pytest.approx(before + 4 / 20, abs=0.5 / 20 + 0.01)  # 20 frames a second
    page.keyboard.press("[")
    page.keyboard.press("[")
    assert page.evaluate("document.getElementById('video').playbackRate") == 0.25
    until(page, "document.querySelector('[data-speed=\"0.25\"]').getAttribute('aria-pressed') === 'true'")
    page.keyboard.press("]")
    assert page.evaluate("document.getElementById('video').playbackRate") == 0.5


def test_a_looped_moment_comes_again_and_the_timeline_keeps_step(tab, address, room, shelf):
    name, start_s, end_s = min(moments(room, shelf, "ami"), key=lambda m: m[2] - m[1])
    page = tab(address("ami", f"?moment={name}"))
    until(page, SETTLED)
    page.locator('[data-speed="2"]').click()
    page.locator(f"[data-loop={name}]").click()
    assert page.locator(f"[data-loop={name}]").get_attribute("aria-pressed") == "true"
    page.evaluate("""() => { window.seen = []; window.heads = [];
        const video = document.getElementById("video"), head = document.querySelector(".playhead");
        setInterval(() => {
          window.seen.push(video.currentTime);
          window.heads.push(parseFloat(head.style.left));
        }, 30); }""")
    until(page, "window.seen.some((t, i) => i && t < window.seen[i - 1])")
    seen, heads = page.evaluate("window.seen"), page.evaluate("window.heads")
    assert start_s - 0.1 < min(seen) and max(seen) < end_s + 0.4
    assert len(set(heads)) > 5
    page.keyboard.press("l")
    assert page.locator(f"[data-loop={name}]").get_attribute("aria-pressed") == "false"


def test_a_click_on_the_timeline_goes_there(tab, address):
    page = tab(address("ami"))
    until(page, SETTLED)
    plot = page.locator("[data-plot]")
    plot.scroll_into_view_if_needed()
    box = plot.bounding_box()
    page.mouse.click(box["x"] + 0.5 * box["width"], box["y"] + 4)
    edges = page.evaluate("JSON.parse(document.querySelector('[data-chart] .data').textContent).edges")
    assert page.evaluate(NOW) == pytest.approx((edges[0] + edges[-1]) / 2, abs=0.1)
    assert float(page.evaluate("document.querySelector('.playhead').style.left").rstrip("%")) == pytest.approx(
        50, abs=1
    )
    slider = page.get_by_role("slider", name="Time in the performance")
    slider.focus()
    before = page.evaluate(NOW)
    page.keyboard.press("ArrowLeft")
    assert page.evaluate(NOW) == pytest.approx(before - 1, abs=0.05)
    assert float(slider.get_attribute("aria-valuenow")) == pytest.approx(before - 1, abs=0.1)


def test_a_finger_that_scrolls_does_not_seek_and_one_that_taps_does(browser, room, shelf):
    context = browser.new_context(viewport={"width": 375, "height": 780}, has_touch=True)
    page = context.new_page()
    page.goto(f"{room.url}/performance/{shelf.keys['ami']}")
    page.locator("html[data-ready]").wait_for(state="attached")
    until(page, SETTLED)
    plot = page.locator("[data-plot]")
    plot.scroll_into_view_if_needed()
    plot.dispatch_event("pointerdown", {"pointerType": "touch", "clientX": 200, "clientY": 300, "bubbles": True})
    assert page.evaluate(NOW) == 0
    box = plot.bounding_box()
    page.touchscreen.tap(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    until(page, f"{NOW} > 5")
    context.close()


def test_spans_of_a_longer_video_are_kept_to(tab, address):
    page = tab(address("round_one"))
    until(page, SETTLED)
    assert page.evaluate(NOW) == pytest.approx(1.0, abs=0.05)
    page.evaluate("document.getElementById('video').currentTime = 3.8")
    until(page, SETTLED)
    page.locator('[data-speed="2"]').click()
    page.evaluate("""() => { window.seen = []; const v = document.getElementById("video");
        setInterval(() => window.seen.push(v.currentTime), 20); }""")
    page.keyboard.press(" ")
    until(page, "document.getElementById('video').paused && window.seen.length > 10")
    seen = page.evaluate("window.seen")
    assert not [t for t in seen if 4.3 < t < 5.9]
    assert max(seen) < 8.3
    others = page.locator(".rounds a")
    assert others.count() == 2 and others.nth(1).inner_text().startswith("Dee")


def test_times_of_a_round_say_whose_they_are(tab, address):
    page = tab(address("round_one"))  # 1 to 4 s and 6 to 8 s
    until(page, SETTLED)
    shown = "[...document.querySelectorAll('.transport .time, .round-time')].map((e) => e.textContent.trim())"
    assert sorted(page.evaluate(shown)) == ["round 0:00.0 / 0:05.0", "video 0:01.0 / 0:08"]
    page.evaluate("document.getElementById('video').currentTime = 6.5")
    until(page, f"{SETTLED} && String({shown}).includes('0:06.5')")
    assert sorted(page.evaluate(shown)) == ["round 0:03.5 / 0:05.0", "video 0:06.5 / 0:08"]
    assert "video" not in tab(address("ami")).locator(".transport .time").inner_text()


def test_a_performer_sees_all_performances_in_order(tab, address, shelf):
    page = tab(address("ami"))
    links = page.locator(".outings a")
    found = [links.nth(i).get_attribute("href") for i in range(links.count())]
    assert found == [f"/performance/{shelf.keys['ami_again']}", f"/performance/{shelf.keys['ami']}"]
    assert page.locator(".person .reached").count() == 2
    page = tab(address("long"))
    assert page.locator(".outings").count() == 0


def test_what_says_so_can_be_chosen(tab, own_room, shelf):
    with own_room.library.write() as session:
        first = session.get(tables.Assessment, (shelf.keys["ami"], shelf.keys["model"]))
        session.add(tables.Model(key="0" * 16, name="Older"))
        session.flush()
        told = {**first.document, "scaled": None, "score": first.score, "cautions": []}
        session.add(
            tables.Assessment(
                performance_key=first.performance_key, model_key="0" * 16, score=first.score, document=told
            )
        )
    page = tab(f"{own_room.url}/performance/{shelf.keys['ami']}")
    with page.expect_navigation():
        page.locator("#model").select_option(label="Older")
    assert "model=" + "0" * 16 in page.url
    assert page.locator("#model").input_value() == "0" * 16
    page = tab(f"{own_room.url}/performance/{shelf.keys['ami']}?model={'f' * 16}")
    assert "is no longer here" in page.locator(".notice").inner_text()
    assert page.locator("#model").input_value() == shelf.keys["model"]
    with own_room.library.write() as session:
        session.add(tables.Model(key="1" * 16, name="Never used"))
    page = tab(f"{own_room.url}/performance/{shelf.keys['ami']}?model={'1' * 16}")
    assert "Never used has not scored this performance" in page.locator(".notice").inner_text()


def test_states_without_a_score_say_what_to_do(own_room, shelf):
    def said():
        return own_room.ask("GET", f"/performance/{shelf.keys['new']}").text

    assert 'id="video"' in said() and "waits to be looked at" in said() and 'hx-trigger="every 2s"' in said()
    (job,) = [j for j in own_room.ask("GET", "/api/v1/jobs?state=queued").json if j["kind"] == "extract"]
    own_room.ask("POST", f"/api/v1/jobs/{job['id']}/cancel")
    assert "has not been looked at" in said() and "data-look" in said() and "every 2s" not in said()
    with own_room.library.write() as session:
        row = session.get(tables.Performance, shelf.keys["new"])
        row.state, row.problem = "failed", "the video holds no pictures <b>"
    assert "the video holds no pictures &lt;b&gt;" in said() and "Try again" in said()
    with own_room.library.write() as session:
        session.get(tables.Performance, shelf.keys["new"]).state = "ready"
    assert "has not scored this performance" in said() and "data-score" in said()
    assert own_room.ask("POST", f"/api/v1/performances/{shelf.keys['new']}/score").status == 202
    assert "is about to score it" in said()
    with own_room.library.write() as session:
        session.delete(session.get(tables.Model, shelf.keys["model"]))
    assert "there is no model" in said() and 'href="/judge"' in said()


def test_the_page_tells_by_itself_that_the_score_is_here(tab, own_room, shelf):
    page = tab(f"{own_room.url}/performance/{shelf.keys['new']}")
    assert page.locator("#state").count() == 1
    assert [job.kind for job in work(own_room.library)] == ["extract", "score"]
    page.locator(".result .big").wait_for(timeout=15_000)
    assert page.locator("#state").count() == 0


def test_a_file_that_does_not_play_gets_a_copy_that_does(tab, own_room, shelf, make_video, tmp_path):
    video = make_video(tmp_path / "old.avi", frames=60, codec="mpeg4", b_frames=0)
    key = intake.add_video(own_room.library, video, filename="old.avi", owned=False)
    with own_room.library.write() as session:
        for job in session.query(tables.Job).filter_by(state="queued"):
            job.state = "cancelled"
    page = tab(f"{own_room.url}/performance/{key}")
    page.locator("[data-copy]").click(timeout=10_000)
    page.locator("#unplayable progress").wait_for()
    waiting = own_room.ask("GET", "/api/v1/jobs?state=queued").json
    assert [job["kind"] for job in waiting] == ["extract"]
    try:
        work(own_room.library)
    finally:
        assert catalogue.get(own_room.library, key).video.preview
    until(page, "document.getElementById('video')?.readyState >= 2")
    assert page.locator("#unplayable").is_hidden()
    assert own_room.ask("POST", f"/api/v1/performances/{key}/look?preview=true").status == 409


PLAYHEAD_BELOW_LABEL = """(() => {
  const boxes = [".label.net", ".playhead", "[data-plot]"].map((name) => document.querySelector(name));
  const [label, playhead, plot] = boxes.map((element) => element.getBoundingClientRect());
  return label.bottom <= playhead.top + 1 && playhead.top <= plot.top + 1;
})()"""


@pytest.mark.parametrize("name", ["long", "bo", "round_one", "new"])
def test_nothing_is_wider_than_a_phone(browser, room, shelf, name):
    page = browser.new_page(viewport={"width": 375, "height": 780})
    page.goto(f"{room.url}/performance/{shelf.keys[name]}")
    page.locator("html[data-ready]").wait_for(state="attached")
    page.evaluate("document.querySelector('[data-cut]').click()")
    assert page.evaluate("document.documentElement.scrollWidth") == 375
    if page.locator(".label.net").count():
        until(page, PLAYHEAD_BELOW_LABEL)
    page.close()


def test_on_paper_the_timeline_has_most_of_the_width(browser, room, shelf):
    page = browser.new_page(viewport={"width": 718, "height": 1000})
    page.emulate_media(media="print")
    page.goto(f"{room.url}/performance/{shelf.keys['ami']}")
    page.locator("html[data-ready]").wait_for(state="attached")
    plot, chart = page.locator("[data-plot]").bounding_box(), page.locator("[data-chart]").bounding_box()
    assert plot["width"] > 0.75 * chart["width"]
    page.close()


# words of some element that stand on more than one line
BROKEN = """(selector) => [...document.querySelectorAll(selector)].flatMap((element) => {
  const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT), found = [];
  while (walker.nextNode()) for (const word of walker.currentNode.data.matchAll(/\\S+/g)) {
    const range = document.createRange();
    range.setStart(walker.currentNode, word.index);
    range.setEnd(walker.currentNode, word.index + word[0].length);
    if (range.getClientRects().length !== 1) found.push(word[0]);
  }
  return found;
})"""


def test_on_a_phone_names_break_between_words_however_long_the_number_is(browser, own_room, shelf):
    with own_room.library.write() as session:
        for name in ("ami", "bo"):
            told = session.get(tables.Assessment, (shelf.keys[name], shelf.keys["model"]))
            score = told.document["score"] - told.document["bias"] - 12
            told.document = {**told.document, "scaled": None, "score": score, "bias": -12}
            told.score, told.value, told.low, told.high = score, None, None, None
    catalogue.describe(own_room.library, shelf.keys["ami"], performer="Anna Lopez", date="2026-04-01")
    catalogue.describe(own_room.library, shelf.keys["bo"], performer="performer-3-7")
    page = browser.new_page(viewport={"width": 375, "height": 780})
    both = f"/compare?a={shelf.keys['ami']}&b={shelf.keys['bo']}"
    for path in (f"/performance/{shelf.keys['ami']}", f"/performance/{shelf.keys['bo']}", both):
        page.goto(own_room.url + path)
        assert len(page.locator(".big").first.inner_text()) == 6
        assert page.evaluate(BROKEN, "h1, .big, .facts .date") == []
        assert page.evaluate("document.documentElement.scrollWidth") == 375
    page.close()


def test_what_is_said_of_a_moment_does_not_stand_on_the_picture(tab, address, room, shelf):
    name = moments(room, shelf, "ami")[0][0]
    page = tab(address("ami", f"?moment={name}"))
    until(page, SETTLED)
    caption, video = page.locator("#caption"), page.locator("#video").bounding_box()
    assert caption.inner_text().replace("\n", " ").split(" ")[1] in ("Raised", "Lowered")
    box = caption.bounding_box()
    assert box["y"] >= video["y"] + video["height"]
    page.keyboard.press("f")
    until(page, "document.fullscreenElement")
    page.wait_for_timeout(50)
    screen, box = page.locator("#video").bounding_box(), caption.bounding_box()
    assert box["height"] > 20 and box["y"] >= screen["y"] + screen["height"] - 1


def test_where_only_a_video_gets_the_whole_screen_it_does_and_of_two_neither(tab, address, shelf):
    page = tab(address("ami"))
    page.add_init_script(ONLY_VIDEOS)
    page = tab(page.url)
    until(page, SETTLED)
    page.locator("[data-do=full]").click()
    until(page, "document.fullscreenElement === document.getElementById('video')")
    page = tab(address("ami").replace("/performance/", "/compare?a=") + f"&b={shelf.keys['bo']}")
    assert page.locator("[data-do]").count() == 6 and page.locator("[data-do=full]").count() == 0
    page.keyboard.press("f")


def test_good_and_concern_are_told_apart_where_colours_are_forced(browser, room, shelf):
    context = browser.new_context(viewport={"width": 1440, "height": 900}, forced_colors="active")
    page = context.new_page()
    page.goto(f"{room.url}/performance/{shelf.keys['ami']}")
    style = "(e, name) => getComputedStyle(e)[name]"
    for kind in ("up", "down"):
        assert page.locator(f".key.{kind}").evaluate(style, "backgroundImage").startswith("linear-gradient")
    best, worst = page.locator(".moment .badge.best").first, page.locator(".moment .badge.worst").first
    assert best.evaluate(style, "backgroundColor") != worst.evaluate(style, "backgroundColor")
    assert best.evaluate(style, "borderRadius") != worst.evaluate(style, "borderRadius")
    pressed = page.locator(".speeds [aria-pressed=true]").first
    assert pressed.evaluate(style, "outlineStyle") == "solid"
    context.close()


class _Own(HTMLParser):
    """What a page's policy would not let be: styles and scripts that stand in it."""

    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attrs):
        names = dict(attrs)
        if tag == "style" or "style" in names or any(name.startswith("on") for name in names):
            self.found.append((tag, attrs))
        if tag == "script" and "src" not in names and names.get("type") != "application/json":
            self.found.append((tag, attrs))


def test_pages_hold_no_style_and_no_script_of_their_own(room, shelf):
    assert catalogue.get(room.library, shelf.keys["bo"]).performer == HOSTILE
    for path in (f"/performance/{shelf.keys['bo']}", f"/compare?a={shelf.keys['ami']}&b={shelf.keys['bo']}"):
        reader = _Own()
        reader.feed(room.ask("GET", path).text)
        assert reader.found == []
