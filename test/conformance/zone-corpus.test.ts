// beside others
// Our verdict on zones against that of named-checkzone, and our records against those of named-compilezone.
// time-out: 600 s
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import fc from 'fast-check';
import type { MasterFileResult } from '../../src/dns/master-file.ts';
import { formatProblem } from '../../src/dns/zone-problem.ts';
import { zones } from '../support/random-zones.ts';
import { CORPUS_INCLUDES, CORPUS_ORIGIN, ZONE_CORPUS, type ZoneCase } from '../support/zone-corpus.ts';
import { compiledLines, judge, readText, recordLines, withoutSpace, writePrinted } from '../support/zones.ts';

const FILE = 'zone.db';
const PRINTED = 'printed.db';
const RANDOM_ZONES = 60;

let directory = '';

before(() => {
  directory = mkdtempSync(join(tmpdir(), 'wideplane-zones-'));
  for (const [name, text] of Object.entries(CORPUS_INCLUDES)) writeFileSync(join(directory, name), text);
});
after(() => rmSync(directory, { recursive: true, force: true }));

function readCase(text: string): MasterFileResult {
  const include = (name: string) => {
    const included = name === FILE ? text : CORPUS_INCLUDES[name];
    if (included === undefined) throw new Error('no such file');
    return { file: name, text: Buffer.from(included) };
  };
  return readText(text, CORPUS_ORIGIN, { include });
}

/** How our records differ from what named-compilezone makes of the file, and of what our writer prints. */
function differences(text: string): string[] {
  const { zone } = readCase(text);
  if (zone === undefined) return ['we do not read it'];
  // Of records that differ in the case of letters only, either may be kept. Random zones are compared exactly.
  const caseless = (lines: readonly string[]) => lines.map((line) => line.toLowerCase());
  const ours = caseless(withoutSpace(recordLines(zone)));
  writePrinted(directory, PRINTED, zone);
  const verdict = judge(directory, PRINTED, CORPUS_ORIGIN);
  const found = verdict.isGood ? [] : [`named-checkzone refuses what we print: ${verdict.output}`];
  for (const file of [FILE, PRINTED]) {
    const theirs = caseless(compiledLines(directory, file, CORPUS_ORIGIN));
    found.push(...ours.filter((line) => !theirs.includes(line)).map((line) => `${file}: we have ${line}`));
    found.push(...theirs.filter((line) => !ours.includes(line)).map((line) => `${file}: named has ${line}`));
  }
  return found;
}

describe('zones, as named-checkzone sees them', () => {
  const good: ZoneCase[] = [];

  it('every zone of the corpus has the same verdict', () => {
    const differing: string[] = [];
    let bad = 0;
    for (const { name, text } of ZONE_CORPUS) {
      writeFileSync(join(directory, FILE), text);
      const { isGood, output } = judge(directory, FILE, CORPUS_ORIGIN);
      const { zone, problems } = readCase(text);
      if ((zone !== undefined) !== isGood) {
        differing.push(`${name}: named-checkzone says ${output} we say ${problems.map(formatProblem).join('\n')}`);
      }
      if (isGood) good.push({ name, text });
      else bad++;
    }
    assert.deepEqual(differing, []);
    assert.ok(good.length >= 100 && bad >= 100, `${good.length} good and ${bad} bad zones`);
  });

  it('every good zone of the corpus has the same records, and is printed as one that named-checkzone takes', () => {
    assert.notEqual(good.length, 0);
    const differing: string[] = [];
    for (const { name, text } of good) {
      writeFileSync(join(directory, FILE), text);
      differing.push(...differences(text).map((difference) => `${name}: ${difference}`));
    }
    assert.deepEqual(differing, []);
  });

  it('random zones are printed as zones that named-checkzone takes, with the same records', () => {
    fc.assert(
      fc.property(zones(CORPUS_ORIGIN), (zone) => {
        writePrinted(directory, PRINTED, zone);
        const { isGood, output } = judge(directory, PRINTED, CORPUS_ORIGIN);
        assert.ok(isGood, output);
        assert.deepEqual(compiledLines(directory, PRINTED, CORPUS_ORIGIN), withoutSpace(recordLines(zone)));
      }),
      { numRuns: RANDOM_ZONES },
    );
  });
});
