// What the audit log keeps of a command: one line, without secrets, and short enough to be read.

import { logEvent } from '../../core/log-codes.ts';
import type { Log } from '../../core/log.ts';
import { findSecrets, masked, secretNames, withoutWords, type SecretNames } from '../../tmsh/secrets.ts';

/** Of a pasted command of many thousand records, the log keeps the beginning. */
const MAX_CHARACTERS = 4096;

export type Audited = { readonly command: string; readonly result: string };

/**
 * The command and its result for the log. The value behind the name of a secret is masked wherever the name stands, also
 * in a command that was refused, and what was masked in the command is masked in the result.
 */
export function auditText(command: string, result: string, secrets?: SecretNames): Audited {
  const hidden = findSecrets(command, secrets ?? secretNames());
  const said = withoutWords(result.split('\n', 1)[0]!, hidden);
  return { command: oneLine(masked(command, hidden)), result: oneLine(said) };
}

/** No line feeds and no control characters: nobody can write a line of their own into the log. */
function oneLine(text: string): string {
  const line = text
    .replace(/\s+/g, ' ')
    .trim()
    .replace(
      /[\u0000-\u001f\u007f-\u009f]/g,
      (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`,
    );
  if (line.length <= MAX_CHARACTERS) return line;
  return `${line.slice(0, MAX_CHARACTERS)} … (${line.length - MAX_CHARACTERS} more characters)`;
}

/** The name of a user as it may stand in a line of text. */
export function plainUser(user: string | undefined): string {
  return (user ?? 'unknown').replace(/[^\w.@+-]/g, '?').slice(0, 64);
}

export type AuditLine = {
  readonly user: string;
  readonly folder: string;
  readonly command: string;
  readonly result: string;
};

/** `generation` is the number of the one that runs afterwards. */
export function logAudit(
  log: Log,
  { user, folder, command, result }: AuditLine,
  source: string | undefined,
  generation: number,
): void {
  const text = auditText(command, result);
  logEvent(
    log,
    'config-audit',
    `AUDIT - user=${user} folder=${folder} module=(tmos)# status=[${text.result}] cmd_data=${text.command}`,
    { source: source ?? 'unknown', generation },
  );
}
