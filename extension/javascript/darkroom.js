// The page's half of the panel: it knows which browser this is, asks how its jobs stand, and shows what has ended.
var darkroom = (function() {
    const TABS = ["txt2img", "img2img"];
    const ENDED = ["done", "failed"];
    const LINES = 5;
    const shown = {}; // the last state of each ticket that the page has shown
    const waiting = {txt2img: [], img2img: []}; // tickets that the button "show" is pressed for
    const loaded = {};
    let first = true;

    function root() {
        return typeof gradioApp === "function" ? gradioApp() : document;
    }

    function element(id) {
        return root().querySelector("#" + id);
    }

    function session() {
        // crypto.randomUUID does not exist on pages without https, such as a WebUI in one's own network.
        let id = localStorage.getItem("darkroom-session");
        if (!id) {
            id = Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
            localStorage.setItem("darkroom-session", id);
        }
        return id;
    }

    function fill(id, value) {
        const field = root().querySelector(`#${id} textarea, #${id} input`);
        if (!field || field.value === value) return Boolean(field);
        field.value = value;
        field.dispatchEvent(new Event("input", {bubbles: true}));
        return true;
    }

    function press(id) {
        const box = element(id);
        const button = box && (box.tagName === "BUTTON" ? box : box.querySelector("button"));
        if (button) button.click();
        return Boolean(button);
    }

    function remembered() {
        try {
            return JSON.parse(localStorage.getItem("darkroom-open") || "[]");
        } catch {
            return [];
        }
    }

    function remember(tickets) {
        const open = tickets.filter((one) => one.state === "open" && one.kind === "job").map((one) => `${one.tab}:${one.job}`);
        localStorage.setItem("darkroom-open", JSON.stringify(open.slice(-20)));
    }

    function translate(node) {
        const texts = window.localization || {};
        if (!node || !Object.keys(texts).length) return;
        const walker = document.createTreeWalker(node, NodeFilter.SHOW_TEXT);
        for (let text = walker.nextNode(); text; text = walker.nextNode()) {
            const words = text.textContent.trim();
            if (words && texts[words] !== undefined && texts[words] !== words) text.textContent = texts[words];
        }
    }

    function part(kind, words, parent) {
        const node = document.createElement("span");
        node.className = "darkroom-" + kind;
        node.textContent = words;
        parent.appendChild(node);
        return node;
    }

    function draw(tab, tickets) {
        const box = root().querySelector(`#${tab}_darkroom_tickets .darkroom-box`);
        if (!box) return;
        const lines = tickets.filter((one) => one.tab === tab).slice(-LINES).reverse();
        const now = JSON.stringify(lines);
        if (box.dataset.lines === now) return;
        box.dataset.lines = now;
        const list = document.createElement("div");
        list.className = "darkroom-lines";
        for (const ticket of lines) {
            const line = document.createElement("div");
            line.className = "darkroom-line";
            line.dataset.state = ticket.state;
            line.dataset.job = ticket.job || "";
            part("status", ticket.status, line);
            if (ticket.progress !== null) part("progress", Math.round(ticket.progress * 100) + " %", line);
            part("id", ticket.name || ticket.job || ticket.id, line);
            if (ticket.doing) part("doing", ticket.doing, line);
            if (ticket.text) part("text", ticket.text, line);
            list.appendChild(line);
        }
        box.replaceChildren(list);
        translate(box);
    }

    function show(tickets) {
        for (const ticket of tickets) {
            const before = shown[ticket.id] || ticket.told;
            shown[ticket.id] = ticket.state;
            if (ticket.kind === "upload" || ticket.state === "sending" || ticket.state === before) continue;
            // What had ended before this page was opened is in the list of jobs.
            if (first && ENDED.includes(ticket.state)) continue;
            if (ticket.kind === "interrogate" && ticket.state === "open") continue;
            waiting[ticket.tab].push(ticket.id);
            press(`${ticket.tab}_darkroom_show`);
        }
        first = false;
    }

    async function ask() {
        // The WebUI may have been restarted since the last look, and then knows these jobs only from here.
        const query = new URLSearchParams({session: session(), jobs: remembered().join(",")});
        try {
            const answer = await fetch("./darkroom/tickets?" + query, {signal: AbortSignal.timeout(5000)});
            if (!answer.ok) return true;
            const tickets = await answer.json();
            remember(tickets);
            for (const tab of TABS) draw(tab, tickets);
            show(tickets);
            return tickets.some((one) => !ENDED.includes(one.state));
        } catch {
            return true; // The WebUI restarts, or the network is gone: the next look tells.
        }
    }

    function prepare() {
        let ready = true;
        for (const tab of TABS) {
            if (!fill(`${tab}_darkroom_session`, session())) ready = false;
            else if (!loaded[tab]) loaded[tab] = press(`${tab}_darkroom_load`);
            translate(element(`${tab}_darkroom_panel`));
            translate(element(`${tab}_generate`));
        }
        return ready;
    }

    async function loop() {
        let busy = true;
        try {
            if (prepare()) busy = await ask();
        } finally {
            setTimeout(loop, busy ? 700 : 1500);
        }
    }

    function subTab() {
        const tabs = root().querySelectorAll("#mode_img2img > div:first-child button");
        return Math.max(0, Array.from(tabs).findIndex((button) => button.classList.contains("selected")));
    }

    document.addEventListener("DOMContentLoaded", () => setTimeout(loop, 500));

    return {
        argument: (tab) => [waiting[tab].shift() || "", session()],
        withSubTab: (values) => [session(), String(subTab()), ...values.slice(2)],
    };
})();
