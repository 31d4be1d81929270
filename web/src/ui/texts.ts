import { texts } from "../texts";

export const t = texts({
  en: {
    close: "Close",
    dismiss: "Dismiss this message",
    remove: "Remove {what}",
    pictureGone: "The picture cannot be loaded",
    value: "{label}, value",
    notes: "Messages",
  },
  "zh-CN": {
    close: "关闭",
    dismiss: "关闭此消息",
    remove: "移除 {what}",
    pictureGone: "无法加载图片",
    value: "{label}，数值",
    notes: "消息",
  },
  ja: {
    close: "閉じる",
    dismiss: "このメッセージを閉じる",
    remove: "{what} を外す",
    pictureGone: "画像を読み込めません",
    value: "{label}、数値",
    notes: "メッセージ",
  },
});
