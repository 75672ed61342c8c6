"""How the page looks: system fonts, light and dark, tables that turn into cards on a narrow screen."""

from __future__ import annotations

import base64
import hashlib

STYLE = """
:root {
  color-scheme: light dark;
  --ground: #f6f7f9; --card: #ffffff; --line: #e3e6eb; --text: #1d2330; --soft: #667085; --accent: #2f5fd0;
  --good: #1a7f4b; --good-ground: #e4f4eb;
  --warn: #8f5b00; --warn-ground: #fdf1d7; --bad: #b3261e; --bad-ground: #fce8e6;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #12151b; --card: #1a1f28; --line: #2b323e; --text: #e4e8ef; --soft: #98a2b3; --accent: #8ab0ff;
    --good: #6fd3a0; --good-ground: #16301f;
    --warn: #f0c266; --warn-ground: #352a12; --bad: #ff9b93; --bad-ground: #3b1a18;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--ground); color: var(--text);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif;
}
main { max-width: 76rem; margin: 0 auto; padding: 1.5rem 1.25rem 4rem; }
header { display: flex; flex-wrap: wrap; align-items: center; gap: .35rem .8rem; margin: .5rem 0 1.25rem; }
h1 { font-size: 1.35rem; margin: 0; letter-spacing: -.01em; }
h2 { font-size: 1rem; margin: 0; }
a { color: var(--accent); text-decoration: none; } a:hover { text-decoration: underline; }
section {
  background: var(--card); border: 1px solid var(--line); border-radius: 10px; margin: 1rem 0; overflow: hidden;
}
section > .title { display: flex; flex-wrap: wrap; align-items: baseline; gap: .3rem .75rem; padding: .85rem 1.1rem; }
section > .title .more { margin-left: auto; }
section > p, section > form, section > dl { margin: 0; padding: 0 1.1rem 1rem; }
.soft { color: var(--soft); }
.facts { display: flex; flex-wrap: wrap; gap: 1px; background: var(--line); }
.facts div { flex: 1 1 7.5rem; background: var(--card); padding: .8rem 1.1rem; }
.facts b { display: block; font-size: 1.3rem; font-weight: 600; font-variant-numeric: tabular-nums; line-height: 1.3; }
.facts span { color: var(--soft); font-size: .85rem; }
.chip {
  display: inline-block; border-radius: 99px; padding: .05rem .6rem; background: var(--line);
  font-size: .82rem; font-weight: 600; white-space: nowrap;
}
.good { color: var(--good); background: var(--good-ground); }
.warn { color: var(--warn); background: var(--warn-ground); }
.bad { color: var(--bad); background: var(--bad-ground); }
.scroll { overflow-x: auto; }
table { width: 100%; border-collapse: collapse; }
th, td { text-align: left; vertical-align: top; padding: .5rem .6rem; border-top: 1px solid var(--line); }
th:first-child, td:first-child { padding-left: 1.1rem; } th:last-child, td:last-child { padding-right: 1.1rem; }
th { font-size: .8rem; font-weight: 600; color: var(--soft); white-space: nowrap; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
td .soft { font-size: .87rem; }
td { overflow-wrap: break-word; }
td ul { list-style: none; margin: 0; padding: 0; }
form { display: flex; flex-wrap: wrap; gap: .5rem; }
input {
  flex: 1 1 16rem; min-width: 0; font: inherit; color: inherit; background: var(--ground);
  border: 1px solid var(--line); border-radius: 7px; padding: .45rem .7rem;
}
button {
  font: inherit; font-weight: 600; color: var(--card); background: var(--accent); border: 0; border-radius: 7px;
  padding: .45rem 1rem; cursor: pointer;
}
input:focus-visible, button:focus-visible, a:focus-visible { outline: 2px solid var(--accent); outline-offset: 1px; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .3rem 1.25rem; }
dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
@media (max-width: 44rem) {
  main { padding: 1rem .75rem 3rem; }
  thead { display: none; }
  table, tbody, tr, td { display: block; width: 100%; }
  tr { border-top: 1px solid var(--line); padding: .6rem 0; }
  td, td:first-child, td:last-child {
    display: grid; grid-template-columns: 6.5rem minmax(0, 1fr); gap: .75rem; border: 0; padding: .15rem 1.1rem;
  }
  td > div { overflow-wrap: anywhere; }
  td::before { content: attr(data-label); color: var(--soft); font-size: .85rem; }
  td.number { text-align: left; }
  dl { grid-template-columns: 1fr; gap: 0; } dd { margin-bottom: .5rem; }
}
"""

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'sha256-"
    + base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    + "'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
