// `sys folder`: where objects lie. `/` is above all of them, `/Common` is always there.

import { string, trueFalse } from '../kinds.ts';
import { folderProblem } from '../name.ts';
import { objectType, type ObjectOf } from '../object-type.ts';

export const sysFolder = objectType({
  path: 'sys folder',
  label: 'folder',
  help: 'A place for objects: what lies in /Common/app is named /Common/app/NAME. One directly below / is a partition.',
  example: `
sys folder /Common/app { }
net vlan /Common/app/inside {
    tag 30
}
`,
  naming: 'full-path',
  sync: 'device-group',
  builtIn: {
    '/': { 'inherited-devicegroup': false, 'inherited-traffic-group': false },
    '/Common': {},
  },
  nameProblem: folderProblem,
  twin: {
    type: 'auth partition',
    nameOf: (name) => (name.length > 1 && !name.includes('/', 1) ? name.slice(1) : undefined),
    isLeading: true,
  },
  properties: {
    'app-service': string({
      help: 'The application service that the folder belongs to.',
      inert: true,
    }),
    description: string({ help: 'Text for people.' }),
    'device-group': string({
      help: 'The device group that gets what lies in the folder.',
      inert: true,
    }),
    hidden: trueFalse({
      default: false,
      help: 'Whether listings leave the folder out.',
      inert: true,
    }),
    'inherited-devicegroup': trueFalse({
      default: true,
      help: 'Whether the device group is that of the folder above.',
      inert: true,
    }),
    'inherited-traffic-group': trueFalse({
      default: true,
      help: 'Whether the traffic group is that of the folder above.',
      inert: true,
    }),
    'no-ref-check': trueFalse({
      default: false,
      help: 'Whether objects may name others that a device of the group does not have.',
      inert: true,
    }),
    'traffic-group': string({
      default: '/Common/traffic-group-1',
      help: 'The traffic group of what lies in the folder.',
      inert: true,
    }),
  },
});

export type Folder = ObjectOf<typeof sysFolder>;
