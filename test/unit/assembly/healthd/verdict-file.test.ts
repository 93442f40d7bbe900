// What was found is there after a restart; a file that is damaged is kept aside.

import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it } from 'node:test';
import { VerdictFile } from '../../../../src/assembly/healthd/verdict-file.ts';
import type { Log } from '../../../../src/core/log.ts';

const directory = mkdtempSync(join(tmpdir(), 'wideplane-verdicts-'));
const lines: string[] = [];
const note = (text: string): void => void lines.push(text);
const log: Log = { debug: note, info: note, warn: note, error: note };

const current = {
  verdicts: () => [{ kind: 'node' as const, key: '/Common/n', status: 'offline' as const, reason: 'no', since: 7 }],
  held: () => ['ltm /Common/m 10.1.1.1 80'],
};

it('reads what it wrote', async () => {
  const file = new VerdictFile(directory, log, current);
  assert.deepEqual(await file.read(), { verdicts: new Map(), held: new Set() });
  file.touch();
  await file.close();
  const { verdicts, held } = await new VerdictFile(directory, log, current).read();
  assert.deepEqual([...verdicts], [['node /Common/n', { status: 'offline', reason: 'no', since: 7 }]]);
  assert.deepEqual([...held], ['ltm /Common/m 10.1.1.1 80']);
  assert.deepEqual(lines, []);
});

it('nothing is known where it is damaged, and it is kept', async () => {
  const path = join(directory, 'verdicts');
  const whole = readFileSync(path, 'utf8');
  const cases: [string, RegExp][] = [
    [whole.slice(0, -20), /the end is missing/],
    [whole.replace('offline', 'asleep'), /line 2 is nothing that such a file has/],
    [whole.replace('"reason"', 'reason'), /line 2: /],
    ['', /line 1 is not the head/],
  ];
  for (const [text, expected] of cases) {
    writeFileSync(path, text);
    assert.equal((await new VerdictFile(directory, log, current).read()).verdicts.size, 0);
    assert.match(lines.at(-1)!, expected);
    assert.equal(readFileSync(`${path}.damaged`, 'utf8'), text);
    assert.equal(existsSync(path), false);
  }
});
