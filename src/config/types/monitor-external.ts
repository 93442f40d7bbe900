// `gtm monitor external`, `ltm monitor external`: a program says whether a target is up, by writing anything on its output.

import { string } from '../kinds.ts';
import { file, variables } from '../monitor-kinds.ts';
import type { AnyConfigObject } from '../object-type.ts';
import type { ObjectContext } from '../remembered.ts';
import { PORT } from './monitor-exchange.ts';
import { MANUAL_RESUME, PROBE_TIMEOUT, monitorType } from './monitor-type.ts';

const HELP =
  'Runs a program with the address and the port: the target is up where it writes anything. It runs without privileges and in a clean environment.';

const PROGRAM = {
  args: string({ help: 'Arguments of the program, behind address and port.' }),
  run: file({ help: 'The program, by its path on this machine.' }),
  'user-defined': variables({ default: [], help: 'Variables that the program finds in its environment.' }),
};

/** `/Common/name`: files of a device have such names, and lie elsewhere. */
const FILE_OBJECT = /^\/Common\/[^/]+$/;

function checkProgram(monitor: AnyConfigObject, context: ObjectContext): void {
  const { name, properties } = monitor;
  const { run } = properties;
  const hint = 'Write run and the path of a program of this machine.';
  const warn = (text: string, value?: string): void => {
    context.warn(monitor, `Monitor (${name}): ${text}.`, {
      property: 'run',
      hint,
      ...(value === undefined ? {} : { value }),
    });
  };
  if (run === undefined && name !== '/Common/external') warn('without run it can say nothing of its targets');
  if (typeof run !== 'string' || !FILE_OBJECT.test(run)) return;
  warn(`run ${run} looks like a file object of a BIG-IP, which this machine does not have`, run);
}

const example = (path: string) => `
${path} replication {
    args "-H app"
    run /usr/local/lib/monitors/replication
    user-defined LEVEL 7
}
`;

export const gtmMonitorExternal = monitorType(
  {
    module: 'gtm',
    type: 'external',
    builtIn: { external: {} },
    help: HELP,
    example: example('gtm monitor external'),
    check: checkProgram,
  },
  { ...PROBE_TIMEOUT, ...PROGRAM, ...PORT },
);

export const ltmMonitorExternal = monitorType(
  {
    module: 'ltm',
    type: 'external',
    builtIn: { external: {} },
    help: HELP,
    example: example('ltm monitor external'),
    check: checkProgram,
  },
  { ...MANUAL_RESUME, ...PROGRAM, ...PORT },
);
