// What `explain` finds, as text: the steps, and below them the reply that is really given.

import type { Explanation } from '../../dns/explain.ts';
import { Outcome } from '../../dns/outcome.ts';
import { replyLines } from './reply-text.ts';

export function explanationText({ steps, outcome, reply }: Explanation): string {
  const lines = [...steps];
  if (reply !== undefined) {
    const [head, ...records] = replyLines(reply);
    lines.push(`reply: ${head!}`, ...records.map((record) => `  ${record}`));
  } else {
    lines.push(outcome === Outcome.forwarded ? 'reply: that of the name server behind' : 'reply: none');
  }
  return lines.map((line) => `${line}\n`).join('');
}
