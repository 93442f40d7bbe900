// Import direction: a folder imports itself and lower tiers, nothing else (docs/architecture.md, "Layers").
// The folders of one tier meet only in `assembly`; the exceptions are named below.
const TIERS = [
  ['core'],
  ['wire', 'packet', 'native'],
  ['pipeline'],
  ['tunnel', 'bridge', 'route', 'ipsec', 'dns', 'gtm', 'health', 'iquery', 'config'],
  ['port', 'net', 'store', 'ipc', 'probe'],
  ['tmsh', 'cli', 'assembly', 'supervise', 'trust', 'manual'],
  ['daemons'],
];

// Same-tier edges that are allowed, as [from, to].
const SAME_TIER = [
  // Records of a zone are judged before they are committed, by what reads and checks zones.
  ['config', 'dns'],
  // Wide IPs are a source of answers; their modes and types are those of the configuration.
  ['gtm', 'dns'],
  ['config', 'gtm'],
  // What is received is matched by the same reading of a pattern that the configuration accepts.
  ['config', 'health'],
  ['packet', 'wire'],
  ['ipc', 'net'],
  ['store', 'net'],
  ['probe', 'net'],
  ['assembly', 'supervise'],
  ['assembly', 'tmsh'],
  ['assembly', 'trust'],
  ['cli', 'supervise'],
  ['cli', 'trust'],
  ['cli', 'daemons'],
  ['cli', 'assembly'],
  ['cli', 'tmsh'],
  ['manual', 'tmsh'],
];
const CONTRACT_TIER = 3;
const TYPES_ANYWHERE_IN_CONTRACT_TIER = ['config'];

const forbidden = [
  { name: 'no-cycles', severity: 'error', from: { path: '^(src|test/fixtures)' }, to: { circular: true } },
  {
    name: 'nobody-imports-daemons',
    severity: 'error',
    from: { pathNot: '^src/(daemons|cli)/' },
    to: { path: '^src/daemons/' },
  },
  {
    name: 'pure-tiers-touch-no-platform',
    comment: 'node: modules and npm packages belong to tier 3 and above; native is the only loader of the addon',
    severity: 'error',
    from: {
      path: '^(src|test/fixtures/imports)/(core|wire|packet|tunnel|bridge|route|ipsec|dns|gtm|health|iquery|pipeline|config)/',
    },
    to: { dependencyTypes: ['core', 'npm', 'npm-dev'] },
  },
  {
    name: 'one-loader-of-the-addon',
    severity: 'error',
    from: { path: '^src/', pathNot: '^src/(native|port|net|probe|assembly|cli|daemons)/' },
    to: { path: '^src/native/' },
  },
];

TIERS.forEach((folders, tier) => {
  for (const folder of folders) {
    const reachable = [folder, ...TIERS.slice(0, tier).flat()];
    reachable.push(...SAME_TIER.filter(([from]) => from === folder).map(([, to]) => to));
    const types = tier === CONTRACT_TIER ? TYPES_ANYWHERE_IN_CONTRACT_TIER : [];
    forbidden.push({
      name: `${folder}-imports-downwards`,
      severity: 'error',
      from: { path: `^(src|test/fixtures/imports)/${folder}/` },
      to: {
        path: '^(src|test/fixtures/imports)/',
        pathNot: `^(src|test/fixtures/imports)/(${[...reachable, ...types].join('|')})/`,
      },
    });
    for (const other of types.filter((name) => !reachable.includes(name))) {
      forbidden.push({
        name: `${folder}-imports-only-types-of-${other}`,
        severity: 'error',
        from: { path: `^src/${folder}/` },
        to: { path: `^src/${other}/`, dependencyTypesNot: ['type-only'] },
      });
    }
  }
});

module.exports = {
  forbidden,
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default'] },
  },
};
