// What tests of zones share: reading a text, a form in which zones are compared, and named-checkzone.
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { printZone } from '../../src/dns/master-file-writer.ts';
import { readMasterFile, type MasterFileOptions, type MasterFileResult } from '../../src/dns/master-file.ts';
import { formatName, nameOf } from '../../src/dns/name.ts';
import { printRdata, typeName } from '../../src/dns/record-types.ts';
import type { Zone } from '../../src/dns/record.ts';
import { formatProblem } from '../../src/dns/zone-problem.ts';

export function readText(text: string, origin: string, options: Partial<MasterFileOptions> = {}): MasterFileResult {
  return readMasterFile(Buffer.from(text), { file: 'zone.db', ...options, origin: nameOf(origin) });
}

/** The zone of a text that must have no error. */
export function zoneOf(text: string, origin: string): Zone {
  const { zone, problems } = readText(text, origin);
  if (zone === undefined) throw new Error(problems.map(formatProblem).join('\n'));
  return zone;
}

/** Every record as a line with all names absolute, in an order of its own. */
export function recordLines(zone: Zone): string[] {
  const lines: string[] = [];
  for (const { owner, type, ttl, data } of zone.sets) {
    for (const rdata of data) {
      lines.push(`${formatName(owner)} ${ttl} IN ${typeName(type)} ${printRdata(type, rdata)}`);
    }
  }
  return lines.sort();
}

export function printed(zone: Zone): string {
  return [...printZone(zone)].join('');
}

export type Judgement = { readonly isGood: boolean; readonly output: string };

/** What named-checkzone says of a file in a directory, with its default options. */
export function judge(directory: string, file: string, origin: string): Judgement {
  const { status, stdout, stderr, error } = spawnSync('named-checkzone', [origin, file], {
    cwd: directory,
    encoding: 'latin1',
  });
  if (error !== undefined) throw error;
  return { isGood: status === 0, output: stdout + stderr };
}

/** The records that named-compilezone makes of a file, as lines without white space, in order. */
export function compiledLines(directory: string, file: string, origin: string): string[] {
  const output = join(directory, 'compiled.db');
  // Only the records are wanted: what it thinks of them is named-checkzone's affair.
  const lenient = ['-i', 'none', '-k', 'ignore', '-n', 'ignore', '-m', 'ignore', '-r', 'ignore'];
  const options = ['-q', '-f', 'text', '-F', 'text', '-s', 'full', ...lenient, '-o', output, origin, file];
  const { status, stderr } = spawnSync('named-compilezone', options, { cwd: directory, encoding: 'latin1' });
  if (status !== 0) throw new Error(`named-compilezone ended with ${status ?? 'a signal'}: ${stderr}`);
  const lines = readFileSync(output, 'latin1').split('\n');
  return withoutSpace(lines.filter((line) => !line.startsWith(';')));
}

/** For comparison: BIND cuts encodings into pieces and uses tabs. */
export function withoutSpace(lines: readonly string[]): string[] {
  return lines
    .map((line) => line.replaceAll(/\s+/g, ''))
    .filter((line) => line !== '')
    .sort();
}

/** Writes what our writer makes of a zone. */
export function writePrinted(directory: string, file: string, zone: Zone): void {
  writeFileSync(join(directory, file), printed(zone));
}
