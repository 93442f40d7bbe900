// What a command that succeeded says beside its output.

import type { ConfigWarning } from '../config/validate.ts';
import { formatPosition } from '../core/errors.ts';

export function* warningLines(found: readonly ConfigWarning[]): Generator<string> {
  for (const { text, hint, position } of found) {
    const place = position?.file === undefined ? '' : `${formatPosition(position)}: `;
    yield `Warning: ${place}${text}${hint === undefined ? '' : ` ${hint}`}\n`;
  }
}
