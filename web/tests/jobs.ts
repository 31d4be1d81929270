/** Jobs as the API tells of them, for tests. */
import type { Job, JobLine } from "../src/api";

export function line(given: Partial<JobLine> = {}): JobLine {
  return {
    label: "",
    id: "01a21e86-cb83-7258-b57e-9405f3231471",
    type: "txt2img",
    mode: null,
    status: "succeed",
    owner: "ann",
    endpoint: "e",
    checkpoint: "sd.safetensors",
    created_at: "2026-11-27T19:41:20Z",
    completed_at: null,
    duration: null,
    run_seconds: null,
    cost: null,
    cost_estimated: false,
    image_count: 0,
    prompt: "a pier",
    thumbnail: null,
    title: null,
    rating: null,
    tags: [],
    seed: null,
    batch: null,
    notice_count: 0,
    ...given,
  };
}

export function job(given: Partial<Job> = {}): Job {
  return {
    ...line(),
    models: {},
    parameters: {},
    inputs: [],
    images: [],
    infotexts: [],
    caption: null,
    timings: null,
    error: null,
    started_at: null,
    progress: null,
    instance_type: null,
    phase: null,
    phase_detail: null,
    budget: null,
    place: null,
    forecast: null,
    cancelled: null,
    replay_of: null,
    notices: [],
    components: null,
    ...given,
  };
}
