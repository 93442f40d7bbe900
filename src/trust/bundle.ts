// Bundles: certificates in PEM, one below the other, with whatever people write in between.

import { errorText } from '../core/errors.ts';
import { readCertificate, type Certificate } from './certificate.ts';

export type Bundle = {
  readonly members: readonly Certificate[];
  /** What in it cannot be used, each with its line: the rest counts all the same. */
  readonly problems: readonly string[];
};

const BLOCK = /-----BEGIN ([A-Z0-9 ]+)-----[^-]*-----END \1-----[^\S\n]*\n?/g;
const BEGIN = /-----BEGIN [A-Z0-9 ]+-----/g;

/** Members that appear twice are one. */
export function readBundle(text: string): Bundle {
  const members = new Map<string, Certificate>();
  const problems: string[] = [];
  let blocks = 0;
  for (const { label, line, block } of blocksOf(text)) {
    blocks++;
    if (label !== 'CERTIFICATE' && label !== 'X509 CERTIFICATE') {
      problems.push(`line ${line}: ${label} stands where only certificates belong`);
      continue;
    }
    try {
      const certificate = readCertificate(block);
      if (!members.has(certificate.fingerprint)) members.set(certificate.fingerprint, certificate);
    } catch (error) {
      problems.push(`line ${line}: ${errorText(error)}`);
    }
  }
  const begun = text.match(BEGIN)?.length ?? 0;
  if (begun > blocks) problems.push(`${begun - blocks} blocks have no end`);
  if (begun === 0 && text.trim() !== '' && !isComment(text)) problems.push('it holds no certificate in PEM');
  return { members: [...members.values()], problems };
}

/** The text with certificates added at its end; those that are in it already are left out. */
export function addToBundle(
  text: string,
  certificates: readonly Certificate[],
): { text: string; added: Certificate[] } {
  const known = new Set(readBundle(text).members.map(({ fingerprint }) => fingerprint));
  const added: Certificate[] = [];
  for (const certificate of certificates) {
    if (known.has(certificate.fingerprint)) continue;
    known.add(certificate.fingerprint);
    added.push(certificate);
  }
  const lead = text === '' || text.endsWith('\n') ? text : `${text}\n`;
  return { text: lead + added.map(memberText).join(''), added };
}

/** The text without a certificate and the lines that stand directly above it; the same text where it is not in it. */
export function removeFromBundle(text: string, fingerprint: string): string {
  let kept = '';
  let at = 0;
  for (const { label, block, start } of blocksOf(text)) {
    if (!label.endsWith('CERTIFICATE') || fingerprintOf(block) !== fingerprint) continue;
    const before = text.slice(at, start);
    kept += withoutLinesAbove(before);
    at = start + block.length;
  }
  return kept + text.slice(at);
}

/** A certificate as it stands in bundles, with a line that says whose it is. */
export function memberText({ x509, subject, notAfter }: Certificate): string {
  return `# ${subject}, until ${notAfter.toISOString().slice(0, 10)}\n${x509.toString().trimEnd()}\n`;
}

type Block = { label: string; line: number; start: number; block: string };

function* blocksOf(text: string): Generator<Block, void> {
  let [line, counted] = [1, 0];
  for (const match of text.matchAll(BLOCK)) {
    for (; counted < match.index; counted++) if (text.charCodeAt(counted) === 10) line++;
    yield { label: match[1]!, line, start: match.index, block: match[0] };
  }
}

/** The text up to the lines at its end that stand together: behind an empty line, or the end of another block. */
function withoutLinesAbove(text: string): string {
  const lines = text.split('\n');
  let last = lines.length - 1;
  while (last > 0 && lines[last - 1]!.trim() !== '' && !lines[last - 1]!.startsWith('-----END')) last--;
  return last === 0 ? '' : `${lines.slice(0, last).join('\n')}\n`;
}

function fingerprintOf(block: string): string | undefined {
  try {
    return readCertificate(block).fingerprint;
  } catch {
    return undefined;
  }
}

function isComment(text: string): boolean {
  return text.split('\n').every((line) => line.trim() === '' || line.startsWith('#'));
}
