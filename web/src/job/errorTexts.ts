import { texts } from "../texts";

/** What to do about a job that failed, by the code of its error. */
export const advice = texts({
  en: {
    worker_failed:
      "Look at what the worker says, change what it names, and replay the job. If it says that memory is " +
      "short, use a smaller size or batch, or an endpoint with a larger instance.",
    bad_answer:
      "The worker answered something that Darkroom does not understand. Replay the job; if it happens " +
      "again, tell your operator.",
    answer_missing: "The result is not in S3. Replay the job; if it happens again, tell your operator.",
    expired: "The job waited in line for too long. Replay it, or ask an admin to give the endpoint more instances.",
    worker_stopped: "The worker was shut down during each of its runs. Replay the job, or choose another endpoint.",
    endpoint_deleted: "Somebody deleted the endpoint. Replay the job; it goes to another endpoint.",
    endpoint_failed: "The endpoint is broken. Replay the job on another endpoint, and tell an admin.",
    endpoint_refused: "SageMaker refused the job. Look at the reason, change what it names, and submit the job again.",
    endpoint_gone: "The endpoint was deleted while the job waited. Replay the job; it goes to another endpoint.",
    timed_out: "No result came in time. If it still comes, the job becomes “succeeded”; otherwise replay it.",
    other: "Look at what the worker says, change what it names, and replay the job.",
  },
  "zh-CN": {
    worker_failed:
      "请查看工作进程的说明，修改其中所指的内容，然后重新运行任务。如果提示内存不足，请减小尺寸或批次，或使用实例更大的端点。",
    bad_answer: "Darkroom 无法理解工作进程的应答。请重新运行任务；若再次发生，请告知运维人员。",
    answer_missing: "S3 中没有结果。请重新运行任务；若再次发生，请告知运维人员。",
    expired: "任务排队时间过长。请重新运行，或请管理员为端点增加实例。",
    worker_stopped: "每次运行时工作进程都被关闭。请重新运行任务，或选择其他端点。",
    endpoint_deleted: "端点已被删除。请重新运行任务，任务会转到其他端点。",
    endpoint_failed: "端点已损坏。请在其他端点上重新运行任务，并告知管理员。",
    endpoint_refused: "SageMaker 拒绝了此任务。请查看原因，修改其中所指的内容，然后重新提交。",
    endpoint_gone: "任务等待期间端点被删除。请重新运行任务，任务会转到其他端点。",
    timed_out: "未能及时得到结果。如果结果之后到达，任务会变为“成功”；否则请重新运行。",
    other: "请查看工作进程的说明，修改其中所指的内容，然后重新运行任务。",
  },
  ja: {
    worker_failed:
      "ワーカーのメッセージを確認し、指摘された点を変更してから再実行してください。メモリ不足の場合は、サイズやバッチを小さくするか、より大きなインスタンスのエンドポイントを使ってください。",
    bad_answer:
      "ワーカーの応答を解釈できませんでした。再実行してください。再び起きる場合は運用担当者に連絡してください。",
    answer_missing: "結果が S3 にありません。再実行してください。再び起きる場合は運用担当者に連絡してください。",
    expired:
      "ジョブの待機時間が長すぎました。再実行するか、管理者にエンドポイントのインスタンス追加を依頼してください。",
    worker_stopped: "どの実行中にもワーカーが停止しました。再実行するか、別のエンドポイントを選んでください。",
    endpoint_deleted: "エンドポイントが削除されました。再実行すると、別のエンドポイントに送られます。",
    endpoint_failed: "エンドポイントが故障しています。別のエンドポイントで再実行し、管理者に連絡してください。",
    endpoint_refused: "SageMaker がジョブを拒否しました。理由を確認し、指摘された点を変更してから再送信してください。",
    endpoint_gone: "ジョブの待機中にエンドポイントが削除されました。再実行すると、別のエンドポイントに送られます。",
    timed_out: "時間内に結果が届きませんでした。後から届けば「成功」になります。届かなければ再実行してください。",
    other: "ワーカーのメッセージを確認し、指摘された点を変更してから再実行してください。",
  },
});
