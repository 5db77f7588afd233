/** The servers that `api.preset` knows; what each sets is in `presets.ts`. */
export const presetNames = [
  'azure',
  'azure-v1',
  'groq',
  'xai',
  'moonshot',
  'zhipu',
  'dashscope',
  'litellm',
  'cerebras',
] as const;

export type PresetName = (typeof presetNames)[number];
