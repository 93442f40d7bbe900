// The reference manual, docs/reference/: every page follows from the definitions and tables of the code.

import { OBJECT_TYPES } from '../config/object-types.ts';
import { page, plain, table } from './markdown.ts';
import { objectPage, pageOfType } from './object-page.ts';
import { countersPage, dropReasonsPage, logCodesPage, messageCodesPage, metricsPage } from './table-pages.ts';
import { tmshPage } from './tmsh-page.ts';

/** Pages besides those of object types: file, what it is about, its text. */
const OTHERS: readonly (readonly [file: string, about: string, text: () => string])[] = [
  ['counters.md', 'Counters of interfaces, VLANs, VLAN groups and tunnels', countersPage],
  ['drop-reasons.md', 'Why frames are dropped, by name', dropReasonsPage],
  ['log-codes.md', 'Codes of the lines of the log', logCodesPage],
  ['metrics.md', 'What is served to Prometheus', metricsPage],
  ['tmsh.md', 'The verbs of tmsh and what they take', tmshPage],
  ['message-codes.md', 'Codes of messages about the configuration', messageCodesPage],
];

/** The text of every page by file name. */
export function manualPages(): Map<string, string> {
  const pages = new Map([['README.md', indexPage()]]);
  for (const type of OBJECT_TYPES) pages.set(pageOfType(type.path), objectPage(type));
  for (const [file, , text] of OTHERS) pages.set(file, text());
  return pages;
}

function indexPage(): string {
  const types = [...OBJECT_TYPES].sort((a, b) => (a.path < b.path ? -1 : 1));
  return page(
    '# Reference manual',
    'Made by `npm run docs` from the definitions in the code, and held current by a test: change those, not these pages.',
    '## Objects',
    table(
      ['Object', 'What it is'],
      types.map(({ path, help }) => [`[${path}](${pageOfType(path)})`, plain(help)]),
    ),
    'In the tables of properties:',
    [
      '- *Extension.* No BIG-IP has the property.',
      '- *Immutable.* It cannot be changed once the object exists: delete the object and create it anew.',
      '- *No effect.* It is known, checked and kept for the sake of pasted configurations, but changes nothing.',
      '- *Rebuilt.* When it changes the data plane takes the object down and makes it again; without the mark a change takes ' +
        'effect while frames flow.',
      '- *Secret.* It is not printed.',
      '- *required*: an object cannot be without. *assigned*: the system chooses a value when the object is created without one.',
    ].join('\n'),
    'A list stands in braces. In a file the braces hold the whole list; a command says `add`, `delete`, `modify` or ' +
      '`replace-all-with` before them. `none` empties a list or takes a value away. REST is the name that iControl REST ' +
      'has for a property.',
    '## More',
    table(
      ['Page', 'What it lists'],
      OTHERS.map(([file, about]) => [`[${file.replace('.md', '')}](${file})`, about]),
    ),
  );
}
