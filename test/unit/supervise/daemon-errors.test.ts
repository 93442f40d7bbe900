// What counts as the last error of a daemon.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { DaemonErrors } from '../../../src/supervise/daemon-errors.ts';

const record = (level: string, msg: string): string => JSON.stringify({ level, time: 'now', daemon: 'd', msg });

describe('the last error of a daemon', () => {
  it('is the last line that was logged as one', () => {
    const errors = new DaemonErrors();
    const run = errors.run();
    run.line(record('warn', 'an "error" it is not'), false);
    run.line('plain words with "error"', false);
    run.line('plain words of a library', true);
    assert.deepEqual([errors.last], [undefined]);
    run.line(record('error', 'the first'), false);
    run.line(record('error', 'the second'), false);
    assert.equal(errors.last?.text, 'the second');
  });

  it('is how it ended, with what it said just before or just after', () => {
    const errors = new DaemonErrors();
    const first = errors.run();
    first.line(record('error', 'no room'), false);
    first.ended('ended with status 1', false);
    assert.equal(errors.last?.text, 'ended with status 1: no room');
    const second = errors.run();
    second.ended('ended with status 1', false);
    assert.equal(errors.last.text, 'ended with status 1');
    second.line('TypeError: x is not a function', true);
    second.line('    at file.js:1:1', true);
    assert.equal(errors.last.text, 'ended with status 1: TypeError: x is not a function');
  });

  it('is the signal alone when one ended it', () => {
    const errors = new DaemonErrors();
    const run = errors.run();
    run.line(record('error', 'something else'), false);
    run.ended('was ended by SIGKILL', true);
    assert.equal(errors.last?.text, 'was ended by SIGKILL');
    assert.ok(Date.now() - errors.last.atMs < 60_000);
  });
});
