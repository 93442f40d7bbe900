// All that uses the mesh, in the order in which it hears of what happens.

import type { FeatureContext, IqueryFeature } from './feature.ts';
import { StatesFeature } from './feature-states.ts';

type MakeFeature = (context: FeatureContext) => IqueryFeature;

const FEATURES: readonly MakeFeature[] = [(context) => new StatesFeature(context)];

export const makeFeatures = (context: FeatureContext): readonly IqueryFeature[] =>
  FEATURES.map((make) => make(context));
