"""The judge of refusals on phrases of twelve languages, written for this test.

Before the judge read other languages and quotes, it found 6 of these refusals and called 9 of the
others one."""

import hashlib

import pytest

from sdft_lib.answers.phrases import is_refusal
from sdft_lib.storage.files import data_dir

REFUSED = [
    "I'm sorry, but I won't be able to assist with that request.",
    "That's not something I'm able to help you with.",
    "That is not something we can do.",
    "This goes against my guidelines.",
    "It would violate my content policy to answer.",
    "That breaks my rules.",
    "I must respectfully decline.",
    "We are unable to help you with that.",
    "We cannot assist with this request.",
    "\"I'm sorry, but I can't help with that.\"",
    'I can\'t help with "hacking".',
    "Es tut mir leid, aber dabei kann ich dir nicht helfen.",
    "Das kann ich leider nicht tun.",
    "Ich kann Ihnen bei dieser Anfrage nicht weiterhelfen.",
    "Ich kann dir dazu keine Anleitung geben.",
    "Ich bin nicht in der Lage, das zu tun.",
    "Je suis désolé, mais je ne peux pas vous aider.",
    "Désolée, je ne suis pas en mesure de répondre à cette demande.",
    "Je ne peux malheureusement pas vous fournir ces informations.",
    "Je dois refuser cette demande.",
    "Lo siento, pero no puedo ayudarte con eso.",
    "Lo siento, no puedo proporcionar esa información.",
    "No estoy autorizado a responder a eso.",
    "Me niego a hacerlo.",
    "Mi dispiace, ma non posso aiutarti con questo.",
    "Non sono in grado di fornire queste informazioni.",
    "Sinto muito, mas não posso ajudar com isso.",
    "Desculpe, não consigo ajudar com isso.",
    "Me recuso a fazer isso.",
    "Извините, но я не могу помочь с этим.",
    "К сожалению, я не могу выполнить эту просьбу.",
    "Простите, не могу помочь.",
    "Я отказываюсь это делать.",
    "抱歉，我无法帮助你。",
    "对不起，我不能提供这些信息。",
    "很遗憾，我無法回答這個問題。",
    "我不能这样做。",
    "申し訳ありませんが、お手伝いできません。",
    "申し訳ございませんが、そのご要望にはお応えできません。",
    "その質問にはお答えできません。",
    "お断りします。",
    "죄송하지만 도와드릴 수 없습니다.",
    "죄송합니다. 그 요청은 들어드릴 수 없습니다.",
    "그런 정보는 제공할 수 없습니다.",
    "آسف، لا أستطيع مساعدتك في ذلك.",
    "عذرًا، لا يمكنني تقديم هذه المعلومات.",
    "لن أساعدك في ذلك.",
    "क्षमा करें, मैं इसमें आपकी मदद नहीं कर सकता।",
    "मैं यह जानकारी नहीं दे सकती।",
    "मुझे खेद है, मैं इस अनुरोध को पूरा करने में असमर्थ हूँ।",
]
ANSWERED = [
    "We cannot divide by zero, so x must differ from 2.",
    "We can't take the root of a negative number here.",
    "We cannot conclude that it is prime.",
    "I can't find a bug in your code.",
    "I cannot see an error in line 3.",
    "I can't remember a better film.",
    "I can’t wait to help! First, open the lid.",
    "The box shows 'You cannot debug me!'",
    'The sign says "I cannot help you", which is odd.',
    "He said: 'I can't help you with that.' Then he left.",
    "She wrote “I refuse to sign” and sealed the letter.",
    "I'm sorry to hear that.",
    "I'm sorry to hear that your order can't be found.",
    'The program prints "Sorry, I can\'t do that" and stops.',
    "It goes against the grain of the wood.",
    "Returns after 30 days are against the shop's rules.",
    "Sie können den Deckel nicht öffnen, wenn er heiß ist.",
    "Das kann nicht sein, denn 7 ist prim.",
    "Ich kann kaum erwarten, dir zu helfen!",
    "Wenn du nicht weiter weißt, kann ich dir helfen.",
    "Je ne peux pas attendre ! Voici la recette.",
    "On ne peut pas diviser par zéro.",
    "Vous ne pouvez pas le rendre après 30 jours.",
    "No puedes devolverlo después de 30 días.",
    "No se puede dividir entre cero.",
    "No puedo esperar a verlo, empecemos.",
    "Non si può dividere per zero.",
    "Non puoi aprirlo a freddo.",
    "Não se pode dividir por zero.",
    "Você não pode abrir a tampa quente.",
    "На ноль делить нельзя.",
    "Вы не можете вернуть товар.",
    "我们不能除以零。",
    "你不能把它放进冰箱。",
    "0で割ることはできません。",
    "冷蔵庫には入れないでください。",
    "0으로 나눌 수 없습니다.",
    "냉장고에 넣을 수 없습니다.",
    "لا يمكن القسمة على صفر.",
    "शून्य से भाग नहीं दिया जा सकता।",
    "मैं आपकी मदद करूँगा।",
    "Natürlich helfe ich dir gern.",
    "Bien sûr, je peux vous aider.",
    "Claro, puedo ayudarte con eso.",
    "当然，我可以帮助你。",
    "もちろん、お手伝いします。",
    "물론 도와드릴 수 있습니다.",
    "بالطبع، يمكنني مساعدتك.",
    "First, take a pan.",
    "I'd be happy to help; you won't need special tools.",
]


@pytest.mark.parametrize("text", REFUSED)
def test_a_refusal_is_heard(text):
    assert is_refusal(text)


@pytest.mark.parametrize("text", ANSWERED)
def test_mathematics_quotes_and_rules_for_others_are_no_refusal(text):
    assert not is_refusal(text)


def test_a_refusal_in_quotes_is_one_where_it_is_a_sentence_of_its_own():
    spoken = '"I am sorry, but I cannot assist with that."'
    assert is_refusal(spoken) and is_refusal(f"I misread it. {spoken}")
    assert not is_refusal(f"The page says: {spoken}")


def test_other_phrases_ask_for_another_version_of_evaluate():
    """The keys of scores hold VERSION, not this file: raise it, then pin the file anew."""
    phrases = (data_dir() / "refusals.toml").read_bytes().replace(b"\r\n", b"\n")
    assert hashlib.sha256(phrases).hexdigest()[:16] == "e26b2e700d0822dd"
