import { texts } from "../texts";

export const t = texts({
  en: {
    close: "Close",
    dismiss: "Dismiss this message",
    remove: "Remove {what}",
    pictureGone: "The picture cannot be loaded",
    value: "{label}, value",
    notes: "Messages",
    copied: "Copied.",
    copyFailed: "The browser does not allow the page to copy. Select the text and copy it yourself.",
  },
  "zh-CN": {
    close: "关闭",
    dismiss: "关闭此消息",
    remove: "移除 {what}",
    pictureGone: "无法加载图片",
    value: "{label}，数值",
    notes: "消息",
    copied: "已复制。",
    copyFailed: "浏览器不允许页面复制。请选中文字后自行复制。",
  },
  ja: {
    close: "閉じる",
    dismiss: "このメッセージを閉じる",
    remove: "{what} を外す",
    pictureGone: "画像を読み込めません",
    value: "{label}、数値",
    notes: "メッセージ",
    copied: "コピーしました。",
    copyFailed: "ブラウザがコピーを許可していません。テキストを選択してコピーしてください。",
  },
});
