// Lines of the log about statuses: the words of a BIG-IP, and a sum where there are too many.

import assert from 'node:assert/strict';
import { it, mock } from 'node:test';
import { LINES_A_SECOND, statusLine, StatusLog } from '../../../../src/assembly/healthd/status-log.ts';
import type { Log } from '../../../../src/core/log.ts';
import type { Watch, WatchKind, WatchStatus } from '../../../../src/health/watch.ts';

const watch = (kind: WatchKind, key: string): Watch => ({
  ...{ kind, key, places: [], unprobed: undefined },
  rule: { atLeast: 1, monitors: [] },
});
const verdict = (status: WatchStatus, since: number) => ({ status, reason: 'Monitor /Common/http: no', since });
const change = (kind: WatchKind, key: string) => ({
  watch: watch(kind, key),
  before: verdict('available', 0),
  verdict: verdict('offline', 3_725_000),
});

it('they say what a BIG-IP says', () => {
  const cases: [WatchKind, string, string][] = [
    ['server', '/Common/s', 'Server /Common/s state change green --> red (Monitor /Common/http: no)'],
    ['virtual-server', '/Common/s:v', 'VS v (Server /Common/s) state change green --> red (Monitor /Common/http: no)'],
    [
      'member',
      'a /Common/p /Common/s:v',
      'Pool /Common/p (a) member /Common/s:v state change green --> red (Monitor /Common/http: no)',
    ],
    [
      'node',
      '/Common/n',
      'Node /Common/n monitor status down. [ Monitor /Common/http: no ] [ was up for 1hr:2min:5sec ]',
    ],
    [
      'pool-member',
      '/Common/p /Common/10.1.1.1:80',
      'Pool /Common/p member /Common/10.1.1.1:80 monitor status down. [ Monitor /Common/http: no ] [ was up for 1hr:2min:5sec ]',
    ],
  ];
  for (const [kind, key, line] of cases) assert.equal(statusLine(change(kind, key)), line);
});

it('thousands at once are some lines and their sum', () => {
  mock.timers.enable({ apis: ['setTimeout'] });
  const lines: string[] = [];
  const note = (text: string): void => void lines.push(text);
  const log: Log = { debug: note, info: note, warn: note, error: note };
  const statuses = new StatusLog(log);
  for (let number = 0; number < 3000; number++) statuses.note(change('node', `/Common/n${number}`));
  assert.equal(lines.length, LINES_A_SECOND);
  mock.timers.tick(1000);
  assert.equal(lines.at(-1), `${3000 - LINES_A_SECOND} more changed: ${3000 - LINES_A_SECOND} offline`);
  mock.timers.reset();
});
