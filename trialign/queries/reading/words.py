"""The words by which replies state, deny, report and correct, in the languages that are read.

Phrases are parted by ``|`` and compared without case, accents and endings; a longer phrase hides those inside it, so that
"no doubt" is no denial. Names of the languages' codes stand first in each line.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum, auto


class Cue(Enum):
    """What a phrase does to the answers that stand near it."""

    ANSWER = auto()  # announces an answer
    FINAL = auto()  # announces the last word
    OPTION = auto()  # a letter beside it is an option's
    PICK = auto()  # the speaker's choice
    RIGHT = auto()
    WRONG = auto()
    NOT = auto()  # denies what follows
    NOT_AFTER = auto()  # denies what stands before it
    THEREFORE = auto()
    BUT = auto()
    BECAUSE = auto()
    AND = auto()
    OR = auto()
    REPORTED = auto()  # others' belief
    GUESS = auto()
    UNKNOWN = auto()
    PARTLY = auto()
    IF = auto()
    WOULD = auto()
    CORRECTION = auto()
    REFUSAL = auto()
    FILLER = auto()  # adds nothing to an answer
    NOTHING = auto()  # a set phrase whose words mean nothing here
    BOTH = auto()
    NEITHER = auto()


PHRASES: dict[Cue, tuple[str, ...]] = {
    Cue.ANSWER: (
        "en answer|answers|solution|the result is|result|conclusion|verdict|my response",
        "es respuesta|solución|resultado|la solución es",
        "pt resposta|solução|resultado",
        "fr réponse|solution|résultat",
        "de antwort|lösung|ergebnis|lautet",
        "it risposta|soluzione|risultato",
        "nl antwoord|oplossing",
        "ru ответ|ответом|решение|результат",
        "uk відповідь",
        "pl odpowiedź|odpowiedzią",
        "sv svaret|svar",
        "el απάντηση|η απάντηση",
        "tr cevap|cevabı|cevabım|cevabımız|cevaptır|yanıt|yanıtı|yanıtım|yanıttır|sonuç|sonucu",
        "zh 答案|答案为|答|答案是|答案应该是|结果是|结果为|结论是|正解",
        "ja 答え|解答|回答|正解|答|結論|結果",
        "ko 정답|답|답변|해답|결론|결과",
        "ar الإجابة|إجابة|الجواب|جواب|إجابتي|الحل|النتيجة",
        "fa پاسخ|جواب|پاسخ من|نتیجه",
        "he תשובה|התשובה|הפתרון",
        "hi उत्तर|जवाब|उत्तर है|हल|परिणाम",
        "th คำตอบ|คำตอบคือ|เฉลย|ตอบ|ผลลัพธ์",
        "id jawaban|jawabannya",
        "vi đáp án|câu trả lời",
    ),
    Cue.FINAL: (
        "en final answer|my final answer|in conclusion|to conclude|to sum up|in summary|ultimately|final verdict|answer final|final choice",
        "es respuesta final|en conclusión|en resumen|en definitiva|respuesta definitiva",
        "pt resposta final|em conclusão|em resumo|concluindo",
        "fr réponse finale|en conclusion|pour conclure|en résumé",
        "de endgültige antwort|finale antwort|zusammenfassend|abschließend|letztendlich|fazit",
        "it risposta finale|in conclusione|in sintesi",
        "ru окончательный ответ|итоговый ответ|в итоге|в заключение|итог|итого",
        "tr son cevap|nihai cevap|sonuç olarak|nihai yanıt",
        "zh 最终答案|最终答案是|综上所述|综上|总之|最后答案|最終答案",
        "ja 最終的な答え|最終回答|結論として|最終的に|以上より|最終的な回答|最終解答",
        "ko 최종 답|최종 답변|결론적으로|최종 정답",
        "ar الإجابة النهائية|الجواب النهائي|في الختام|ختاما|خلاصة القول",
        "fa پاسخ نهایی|جواب نهایی|در نهایت|در پایان",
        "he תשובה סופית|התשובה הסופית|לסיכום",
        "hi अंतिम उत्तर|अंततः|निष्कर्ष|अंतिम जवाब",
        "th คำตอบสุดท้าย|สรุป|สรุปแล้ว|โดยสรุป",
        "el τελική απάντηση|συμπερασματικά",
    ),
    Cue.OPTION: (
        "en option|choice|letter|alternative|item|statement",
        "es opción|alternativa|letra|inciso|la opción",
        "pt opção|alternativa|letra",
        "fr option|choix|lettre|proposition",
        "de option|antwortmöglichkeit|möglichkeit|buchstabe|auswahl|variante",
        "it opzione|lettera|alternativa",
        "nl optie|letter",
        "ru вариант|вариантом|буква|буквой|пункт|под буквой",
        "uk варіант",
        "pl opcja|opcję",
        "tr seçenek|seçeneği|seçeneğidir|şık|şıkkı|şıkkıdır|harf",
        "zh 选项|選項|选择项",
        "ja 選択肢|選択",
        "ko 선택지|보기|옵션",
        "ar الخيار|خيار|الاختيار|الحرف",
        "fa گزینه|گزینهٔ|گزینه ی",
        "he אפשרות|האפשרות",
        "hi विकल्प",
        "th ข้อ|ตัวเลือก",
        "el επιλογή|η επιλογή",
        "id pilihan|opsi",
        "vi phương án|lựa chọn",
    ),
    Cue.PICK: (
        "en i choose|i chose|i would choose|id choose|ill choose|i pick|id pick|i would pick|ill pick|i select|id select|i would select|i go with|id go with|"
        "i would go with|ill go with|i will go with|going with|go with|lets go with|opt for|i say|id say|i would say|ill say|i vote for|my vote|my choice|my pick|id answer|"
        "i would answer|i will choose|i will pick|i settle on|leaning towards|lean towards|i lean toward|leaning toward|pick|choose|has to be|must be",
        "es elijo|elegiría|escojo|escogería|me quedo con|diría|digo|mi elección|me inclino por|optaría por|selecciono|yo elegiría",
        "pt escolho|escolheria|diria|fico com|minha escolha|opto por|eu escolheria|seleciono",
        "fr je choisis|je choisirais|je dirais|j opte pour|j opterais pour|mon choix|je pencherais pour|je sélectionne",
        "de ich wähle|ich würde sagen|ich entscheide mich für|ich nehme|meine wahl|ich würde wählen|ich tippe auf|ich sage|ich würde mich für|ich entscheide",
        "it scelgo|sceglierei|direi|opto per|la mia scelta",
        "ru выбираю|выберу|я бы выбрал|я бы выбрала|я выбираю|мой выбор|я бы сказал|я бы сказала|склоняюсь к",
        "zh 我选|我选择|选|选择|故选|应选|应该选|应选择|因此选|所以选|我会选|我认为是|应为",
        "ja を選び|を選びます|を選択します|を選ぶ|を選択|だと思います|と思います|を選択する|を選んだ",
        "ko 선택합니다|고르겠습니다|선택하겠습니다|고릅니다|선택|골라|택하겠습니다|생각합니다",
        "ar أختار|اختار|سأختار|اختياري|أرجح",
        "fa انتخاب میکنم|انتخاب می کنم|انتخاب من|برمیگزینم|انتخاب",
        "he אני בוחר|אני בוחרת|בחירתי|הייתי בוחר",
        "hi चुनूंगा|चुनूँगा|चुनूंगी|चुनता|चुनती|मेरी पसंद|मैं चुनता हूँ|चुनना",
        "th ขอเลือก|เลือก|ผมเลือก|ฉันเลือก",
        "tr seçiyorum|seçerim|seçerdim|benim seçimim|tercih ediyorum|diyorum|derim",
        "el επιλέγω|θα επέλεγα|διαλέγω",
    ),
    Cue.RIGHT: (
        "en correct|right|accurate|correctly|true answer|right one|correct one|best|✓|✔|✅|☑|right answer|correct answer|best answer|correct option|right option|"
        "right choice|correct choice|best choice|best option",
        "es correcta|correcto|acertada|cierta|cierto|respuesta correcta|opción correcta|la correcta",
        "pt correta|correto|certa|certo|resposta correta|alternativa correta|resposta certa",
        "fr correcte|correct|juste|bonne|bon|exacte|exact|bonne réponse|réponse correcte",
        "de richtig|richtige|richtiger|richtigen|korrekt|korrekte|stimmt|zutreffend|richtige antwort|korrekte antwort",
        "it corretta|corretto|giusta|giusto|esatta|esatto|risposta corretta|risposta giusta",
        "nl juist|juiste|goede|correcte",
        "ru верный|верно|верна|верен|верным|правильный|правильно|правилен|правильная|правильным|правильный ответ|верный ответ",
        "uk правильна|правильний|правильно",
        "pl poprawna|prawidłowa|poprawną",
        "el σωστή|σωστό|σωστός|σωστή απάντηση",
        "tr doğru|doğrudur|doğru cevap|doğru yanıt|doğru seçenek|doğrusu",
        "zh 正确|正確|正确的|对的|正确答案|正确答案是|正确选项|正确选项是|正确的是|才是|正確答案",
        "ja 正しい|正しいのは|正しく|正解です|正しい答え|正しい選択肢|適切",
        "ko 정답은|맞습니다|맞다|맞아요|옳다|옳습니다|올바른|옳은|맞는|올바른 답|맞는 답",
        "ar صحيح|صحيحة|الصحيح|الصحيحة|الصواب|الإجابة الصحيحة|الجواب الصحيح|الخيار الصحيح",
        "fa درست|صحیح|پاسخ صحیح|پاسخ درست|گزینه صحیح|گزینه درست|جواب درست",
        "he נכון|נכונה|הנכון|הנכונה|התשובה הנכונה",
        "hi सही|सत्य|सही उत्तर|सही जवाब|सही विकल्प|ठीक",
        "th ถูกต้อง|ถูก|ที่ถูกต้อง|คำตอบที่ถูกต้อง|คำตอบที่ถูก",
        "id benar|tepat",
        "vi đúng|chính xác",
        "sv rätt|korrekt",
    ),
    Cue.WRONG: (
        "en wrong|incorrect|incorrectly|false|untrue|mistaken|inaccurate|a mistake|mistake|erroneous|ruled out|rule out|eliminate|eliminated|eliminates|excluded|out of the question|✗|✘|❌|"
        "does not fit|doesnt fit|too small|too large|too low|too high",
        "es incorrecta|incorrecto|falsa|falso|equivocada|equivocado|errónea|erróneo|error|descartada|descartado|descarto|descartar|no es correcta",
        "pt errada|errado|incorreta|incorreto|falsa|falso|erro|descartada|descarto",
        "fr fausse|faux|incorrecte|incorrect|erronée|erreur|éliminée|écartée|mauvaise",
        "de falsch|falsche|falscher|unrichtig|inkorrekt|scheidet aus|ausgeschlossen|irrtum",
        "it sbagliata|sbagliato|errata|errato|falsa|falso|scorretta|errore",
        "nl fout|onjuist|verkeerd|foute|onjuiste",
        "ru неверный|неверно|неверен|неправильный|неправильно|неправильная|ошибочный|ошибочно|ошибка|ложь|исключаем",
        "uk неправильна|неправильний|неправильно",
        "pl błędna|niepoprawna|nieprawidłowa",
        "el λάθος|λανθασμένη|λανθασμένο",
        "tr yanlış|yanlıştır|hatalı|hatalıdır|elenir",
        "zh 错|错误|错的|错误的|不正确|不对|錯|錯誤|不正確|不符合|排除",
        "ja 間違い|間違いです|誤り|誤りです|不正解|まちがい|間違って|正しくない|正しくありません|誤って|違います|違う",
        "ko 틀린|틀렸습니다|틀립니다|틀리|틀렸다|오답|오답입니다|잘못|틀려|틀렸어요",
        "ar خطأ|خاطئ|خاطئة|غير صحيح|غير صحيحة|غلط",
        "fa نادرست|غلط|اشتباه|نادرسته",
        "he שגוי|שגויה|טעות|לא נכון|לא נכונה|מוטעית",
        "hi गलत|ग़लत|असत्य|ग़लत है",
        "th ผิด|ไม่ถูกต้อง|ไม่ถูก",
        "id salah",
        "vi sai|không đúng",
        "sv fel",
    ),
    Cue.NOT: (
        "en not|isnt|arent|wasnt|werent|dont|doesnt|didnt|cant|cannot|couldnt|wouldnt|wont|shouldnt|nor|never|rather than|instead of|other than|unlike|as opposed to|"
        "no|aint|far from|except|excluding|nothing to do with|anything but|not even",
        "es no|ni|tampoco|en lugar de|en vez de|nunca|excepto|a diferencia de",
        "pt não|nem|nunca|em vez de|ao invés de|exceto",
        "fr pas|ne|n|ni|jamais|au lieu de|plutôt que|sauf|contrairement à",
        "de nicht|kein|keine|keinen|keiner|keines|weder|niemals|anstatt|statt|anstelle von|außer",
        "it non|né|mai|invece di|anziché|tranne",
        "nl niet|geen|nooit|in plaats van",
        "ru не|ни|нет|вместо|кроме|отнюдь не|никак не|а не",
        "uk не|ні|замість",
        "pl nie|ani|zamiast",
        "el δεν|δε|όχι|ούτε|μη|αντί",
        "ar ليس|ليست|لا|لم|لن|بدلا من|وليس|وليست|ما عدا|ليسا",
        "fa نه|به جای|بجای",
        "he לא|אין|אינה|אינו|ולא|במקום|איננה",
        "zh 不是|并非|并不是|非|不|而非|而不是|没有|不会|不可能是|绝不是|並非|不应选|不选|不能选",
        "hi न|ना|के बजाय",
        "th ไม่|ไม่ใช่|มิใช่|แทนที่จะเป็น|ไม่ได้",
        "id bukan|tidak",
        "vi không phải|không|chứ không phải",
        "sv inte|ej",
    ),
    Cue.NOT_AFTER: (
        "ja ではない|ではなく|ではなくて|ではありません|じゃない|じゃなく|じゃなくて|じゃありません|でない|でなく|ではないです|じゃないです|ではございません|ではないので|とは違い|ません|ない|以外|ではありませんが|ではないが",
        "ko 아니다|아닙니다|아니라|아니고|아닌|아니에요|아니며|아니예요|아니죠|아니었습니다|아니지만|아니었|않습니다|않다|않고|않은|제외",
        "tr değil|değildir|değilse|değildi|hariç|değil de|yerine",
        "hi नहीं|नही|नहीं है|नहीं बल्कि",
        "fa نیست|نیستند|نبود|نمیباشد|نمی باشد|نیست بلکه",
    ),
    Cue.THEREFORE: (
        "en therefore|thus|hence|so|consequently|finally|which means|that means|this means|overall|accordingly|in the end|after all|⇒|∴|then|making|leaves|leaving|which leaves|that leaves",
        "es por lo tanto|por tanto|así que|por consiguiente|entonces|por eso|finalmente|es decir",
        "pt portanto|logo|assim|então|por isso|finalmente|ou seja",
        "fr donc|ainsi|par conséquent|finalement|c est pourquoi",
        "de daher|deshalb|somit|folglich|demnach|damit|schließlich",
        "it quindi|dunque|perciò|pertanto|infine",
        "nl dus|daarom",
        "ru поэтому|следовательно|итак|таким образом|значит|стало быть|наконец",
        "uk отже|тому",
        "pl więc|zatem|dlatego",
        "el άρα|επομένως|συνεπώς",
        "tr bu yüzden|bu nedenle|dolayısıyla|yani|demek ki|öyleyse|o halde",
        "zh 所以|因此|故|因而|由此可见|于是|即|最后",
        "ja したがって|よって|だから|つまり|従って|ゆえに|そのため|ですから|すなわち",
        "ko 따라서|그러므로|그래서|즉|결국",
        "ar لذلك|إذن|وبالتالي|بالتالي|لذا|ومن ثم|أي",
        "fa بنابراین|پس|در نتیجه|لذا|یعنی",
        "he לכן|לפיכך|אם כן|ולכן",
        "hi इसलिए|अतः|यानी|इस प्रकार",
        "th ดังนั้น|เพราะฉะนั้น|จึง|ฉะนั้น",
        "id jadi|maka",
        "vi vậy|do đó|vì vậy",
    ),
    Cue.BUT: (
        "en but|however|yet|although|though|even though|nevertheless|nonetheless|still|in fact|in reality|in truth|really it is",
        "es pero|sino|sino que|sin embargo|aunque|en realidad|no obstante",
        "pt mas|porém|e sim|contudo|embora|na verdade|na realidade|entretanto",
        "fr mais|cependant|pourtant|bien que|en réalité|toutefois|or",
        "de aber|sondern|jedoch|doch|obwohl|in wirklichkeit|tatsächlich|dennoch",
        "it ma|però|bensì|tuttavia|in realtà|anche se",
        "nl maar|echter|hoewel",
        "ru но|а|однако|хотя|на самом деле|зато|тем не менее",
        "uk але|проте|однак",
        "pl ale|lecz|jednak|a",
        "el αλλά|όμως|ωστόσο",
        "tr ama|fakat|ancak|aksine|oysa|aslında|gerçekte|bunun yerine",
        "zh 但|但是|而是|而|不过|然而|可是|却|其实|实际上|事实上",
        "ja しかし|ですが|だが|けど|けれど|けれども|ただし|実際には|実際は|実は",
        "ko 하지만|그러나|그런데|다만|실제로는|사실은|지만",
        "ar لكن|ولكن|بل|إنما|غير أن|إلا أن|في الواقع|أما",
        "fa اما|ولی|بلکه|لیکن|در واقع|ولیکن",
        "he אבל|אלא|אולם|אך|למעשה",
        "hi लेकिन|बल्कि|परंतु|परन्तु|मगर|किंतु|वास्तव में|असल में",
        "th แต่|อย่างไรก็ตาม|แท้จริงแล้ว|แต่จริงๆ แล้ว|หากแต่|จริงๆ แล้ว",
        "id tetapi|tapi|melainkan|namun",
        "vi nhưng|mà|mà là|tuy nhiên",
        "sv men|utan",
    ),
    Cue.BECAUSE: (
        "en because|since|while|whereas|given that|as it|as the|due to|where|which|who|when|not to be confused with|in contrast to",
        "es porque|ya que|pues|mientras que|mientras|puesto que|dado que|debido a|cuando",
        "pt porque|pois|já que|enquanto|uma vez que|visto que",
        "fr car|parce que|puisque|tandis que|alors que|étant donné",
        "de weil|denn|da|während|wohingegen|nachdem",
        "it perché|poiché|mentre|siccome|dato che",
        "ru потому что|так как|поскольку|ведь|тогда как|в то время как|ибо",
        "el επειδή|διότι|ενώ|γιατί",
        "tr çünkü|zira|iken",
        "zh 因为|由于|因為|同时",
        "ja なぜなら|ので|ため|からです|理由は|一方",
        "ko 왜냐하면|때문입니다|때문|때문에|반면",
        "ar لأن|لأنها|لأنه|بينما|نظرا|حيث",
        "fa زیرا|چون|چرا که|چراکه|در حالی که|درحالیکه",
        "he כי|מכיוון|משום|בעוד",
        "hi क्योंकि|जबकि|चूंकि|चूँकि",
        "th เพราะ|เนื่องจาก|ในขณะที่|ส่วน",
    ),
    Cue.AND: (
        "en and|as well as|plus|along with|together with|&",
        "es y|e|así como",
        "pt e|bem como",
        "fr et|ainsi que",
        "de und|sowie",
        "it e|ed",
        "ru и|а также|да",
        "el και",
        "tr ve|ile",
        "zh 和|与|以及|及|跟",
        "ja と|および|及び",
        "ko 그리고|및|와|과|하고",
        "ar و",
        "fa و",
        "he ו",
        "hi और|एवं|तथा",
        "th และ|กับ",
    ),
    Cue.OR: (
        "en or|/|either|and/or|or maybe|or perhaps|or possibly|versus|vs",
        "es o|u|o bien",
        "pt ou",
        "fr ou|ou bien|soit",
        "de oder|entweder|bzw",
        "it o|oppure",
        "ru или|либо",
        "el ή|είτε",
        "tr veya|ya da|ya|yahut|veyahut",
        "zh 或|或者|还是|或是",
        "ja または|もしくは|あるいは|それとも|か または",
        "ko 또는|혹은|아니면|이나|나",
        "ar أو|أم|إما",
        "fa یا",
        "he או",
        "hi या|अथवा",
        "th หรือ|หรือว่า",
    ),
    Cue.REPORTED: (
        "en many people|most people|some people|many think|many believe|many say|many would|many assume|some think|some believe|some say|some claim|some would|some argue|"
        "people often|people think|people say|people believe|people assume|people commonly|people usually|commonly believed|commonly thought|commonly said|commonly mistaken|"
        "commonly assumed|commonly confused|often believed|often thought|often said|often mistaken|often assumed|often confused|often confuse|often cited|often given|widely believed|"
        "popularly|popular belief|popular answer|popular guess|it is believed|is believed|was believed|is said|it is said|myth|misconception|common mistake|common error|common belief|common wrong|"
        "common confusion|might think|may think|would think|could think|might say|may say|might expect|might guess|might assume|might believe|would expect|would guess|might be tempted|"
        "may be tempted|tempting|tempted|at first glance|at first|first thought|confuse|confused with|contrary to|mistakenly|mistaken for|others say|others think|others believe|"
        "others claim|everyone thinks|everyone says|everybody thinks|my friend|they say|supposedly|allegedly|i thought|i used to think|initially|one might|you might|according to some|used to be|"
        "formerly|once was|previously|intuitively|the trap|trap answer|distractor|told me|claims that|people confuse|students often|the user|you said|you suggested|you mentioned|folk",
        "es mucha gente|muchos creen|muchos piensan|muchos dicen|algunos dicen|algunos creen|algunos piensan|se suele|se cree|mito|suele confundirse|suelen|podrías pensar|"
        "la gente|muchas personas|a primera vista|antes era|podría parecer|hay quien|error común",
        "pt muita gente|muitos pensam|muitos acreditam|muitas pessoas|alguns dizem|alguns pensam|mito|costuma|as pessoas|à primeira vista|erro comum|há quem",
        "fr beaucoup pensent|beaucoup de gens|beaucoup croient|beaucoup disent|certains disent|certains pensent|certains croient|on croit souvent|on pense souvent|mythe|souvent confondue|"
        "confondre|confond|à première vista|à première vue|les gens|on pourrait croire|on pourrait penser|idée reçue|la plupart des gens|erreur courante",
        "de viele denken|viele glauben|viele meinen|viele menschen|viele sagen|manche sagen|manche glauben|manche meinen|manche denken|die meisten denken|mythos|man könnte meinen|"
        "man könnte denken|oft angenommen|häufig angenommen|oft geglaubt|fälschlicherweise|auf den ersten blick|verwechselt|früher|einige sagen|irrglaube|die leute|leute denken",
        "it molti pensano|molti credono|molti dicono|molte persone|alcuni dicono|alcuni pensano|mito|si potrebbe pensare|spesso si pensa|spesso confusa|la gente|a prima vista",
        "ru многие думают|многие считают|многие полагают|многие люди|некоторые считают|некоторые думают|некоторые говорят|некоторые|часто думают|часто путают|часто считают|миф|заблуждение|"
        "принято считать|на первый взгляд|раньше|кто то|люди думают|большинство думает|может показаться|путают",
        "el πολλοί πιστεύουν|πολλοί νομίζουν|κάποιοι λένε|μύθος",
        "tr birçok kişi|birçok insan|çoğu kişi|çoğu insan|bazıları|bazı insanlar|insanlar|sanılır|sanır|sanıyor|efsane|ilk bakışta|zanneder|düşünebilir|yaygın yanılgı|pek çok kişi|eskiden",
        "zh 很多人认为|许多人认为|很多人以为|许多人以为|很多人|许多人|有人说|有人认为|有些人|常被误认为|误认为|人们常|误解|以为|大家都说|不少人|人们通常认为|常有人|看起来|乍一看|容易误|曾经是|误区",
        "ja 多くの人|と思われ|と思われがち|思われて|思われがち|誤解|よく間違え|と言う人|という人|と言われ|一見|思いがち|勘違い|混同|と考える人|と答える人|かつて|と思う人|よく誤解",
        "ko 많은 사람|많은 사람들|많은 사람들이|흔히|생각하지만|오해|착각|사람들은|일부는|어떤 사람|알고 있지만|혼동|언뜻|생각하기 쉽지만",
        "ar يعتقد الكثير|يعتقد الكثيرون|يعتقد البعض|يظن|يظن البعض|كثير من الناس|الكثيرون|كثيرون|البعض|خرافة|الناس|يقول البعض|يخلط|للوهلة الأولى|اعتقاد شائع",
        "fa بسیاری|خیلیها|خیلی ها|برخی|بعضی|بعضیها|اشتباها|افسانه|مردم|تصور|در نگاه اول|عده ای|باور رایج|فکر می کنند|فکر میکنند",
        "he רבים חושבים|אנשים רבים|הרבה אנשים|יש הטוענים|יש אומרים|רבים סבורים|מיתוס|במבט ראשון",
        "hi बहुत से लोग|बहुत लोग|कई लोग|कुछ लोग|लोग अक्सर|लोग सोचते|लोग|मिथक|भ्रम|पहली नज़र|आम धारणा|ज़्यादातर लोग",
        "th หลายคน|บางคน|มักคิดว่า|คนส่วนใหญ่|คนมัก|คนจำนวนมาก|เข้าใจผิด|ความเชื่อ|หลาย ๆ คน",
    ),
    Cue.GUESS: (
        "en maybe|perhaps|possibly|might be|could be|may be|could also|might also|could|might|either way|conceivably|between",
        "es quizás|quizá|tal vez|podría ser|puede ser|podría|puede que|entre",
        "pt talvez|poderia ser|pode ser|poderia|entre",
        "fr peut être|pourrait être|pourrait|possiblement|entre",
        "de vielleicht|könnte|möglicherweise|eventuell|zwischen",
        "it forse|potrebbe essere|potrebbe|può darsi|tra",
        "ru может быть|возможно|наверное|вероятно|мог бы|между",
        "tr belki|olabilir|muhtemelen",
        "zh 可能|也许|或许|可能是|大概",
        "ja かもしれ|おそらく|たぶん|恐らく|かも",
        "ko 아마|아마도|수도|일지도",
        "ar ربما|قد يكون|قد تكون|لعل",
        "fa شاید|ممکن است|احتمالا",
        "he אולי|ייתכן|יכול להיות",
        "hi शायद|हो सकता है|संभवतः",
        "th อาจ|อาจจะ|อาจเป็น|บางที|น่าจะ",
        "el ίσως|μπορεί",
    ),
    Cue.UNKNOWN: (
        "en dont know|do not know|not know|unsure|uncertain|unclear|cannot tell|cant tell|cannot say|cant say|cannot be sure|cant be sure|cannot be determined|cannot determine|cant determine|hard to say|"
        "difficult to say|no idea|hard to tell|not clear|im not sure|i am not sure|not sure|not certain|impossible to say|torn between|undecided|have no way|could not find|couldnt find|"
        "not enough information|wonder|whether|depends|debated|disputed|in dispute",
        "es no sé|no estoy seguro|no estoy segura|no lo sé|no se sabe|no tengo idea|difícil de decir|depende|no puedo decir",
        "pt não sei|não tenho certeza|não faço ideia|depende|difícil dizer",
        "fr je ne sais pas|je ne suis pas sûr|je ne suis pas sûre|ne sais pas|aucune idée|je ne suis pas certain|dépend|difficile à dire|j ignore",
        "de ich weiß nicht|weiß nicht|weiß ich nicht|nicht sicher|keine ahnung|unklar|kommt darauf an|schwer zu sagen|unsicher",
        "it non so|non lo so|non sono sicuro|non sono sicura|non saprei|dipende|non ne ho idea",
        "ru не знаю|не уверен|не уверена|трудно сказать|неясно|неизвестно|понятия не имею|зависит|сложно сказать|затрудняюсь",
        "el δεν ξέρω|δεν γνωρίζω|δεν είμαι σίγουρος",
        "tr bilmiyorum|emin değilim|bilemiyorum|bilinmiyor|fikrim yok",
        "zh 不知道|不确定|不清楚|难以确定|无法确定|说不好|不太清楚|很难说|无法判断|不了解|取决于",
        "ja わかりません|分かりません|知りません|わからない|分からない|不明|はっきりしません|自信がありません|判断できません",
        "ko 모르겠습니다|모릅니다|모르겠어요|모르|확실하지 않습니다|잘 모르겠습니다|알 수 없습니다|확실하지 않지만|모르겠다",
        "ar لا أعرف|لا أدري|لا أعلم|لست متأكدا|لست متأكدة|غير متأكد|يعتمد|غير معروف",
        "fa نمی دانم|نمیدانم|مطمئن نیستم|نامشخص|بستگی دارد",
        "he לא יודע|לא יודעת|איני יודע|לא בטוח|אין לי מושג",
        "hi मुझे नहीं पता|पता नहीं|नहीं जानता|नहीं जानती|मालूम नहीं|निश्चित नहीं|मुझे नहीं मालूम|कहना मुश्किल|मुझे यकीन नहीं",
        "th ไม่ทราบ|ไม่รู้|ไม่แน่ใจ|ขึ้นอยู่กับ|บอกไม่ได้",
    ),
    Cue.PARTLY: (
        "en partly|partially|half|somewhat|mostly|not entirely|not completely|not always|not necessarily|sometimes|not quite|not fully|not exactly|not strictly|isnt entirely|isnt completely|"
        "isnt always|isnt necessarily|technically|in part|not totally|not wholly|isnt quite|isnt exactly",
        "es parcialmente|en parte|no siempre|no del todo|a veces|no completamente",
        "pt parcialmente|em parte|nem sempre|às vezes|não totalmente",
        "fr partiellement|en partie|pas toujours|parfois|pas tout à fait|pas entièrement",
        "de teilweise|zum teil|nicht immer|nicht ganz|manchmal|nur bedingt|nicht vollständig",
        "it parzialmente|in parte|non sempre|non del tutto|a volte",
        "ru частично|отчасти|не всегда|не совсем|иногда|не полностью|не вполне",
        "tr kısmen|her zaman değil|bazen|tam olarak değil|tamamen değil",
        "zh 部分|不完全|不一定|有时|未必|部分正确|不总是|不完全是",
        "ja 部分的|一部|必ずしも|場合による|完全には|時々",
        "ko 부분적으로|항상은 아니|때로는|반드시|일부만",
        "ar جزئيا|أحيانا|ليس دائما|ليس تماما|إلى حد ما",
        "fa تا حدی|گاهی|نه همیشه|تا حدودی|نه کاملا",
        "he חלקית|לפעמים|לא תמיד|לא לגמרי",
        "hi आंशिक|कभी कभी|हमेशा नहीं|पूरी तरह नहीं|कुछ हद तक",
        "th บางส่วน|บางครั้ง|ไม่เสมอไป|ไม่ทั้งหมด",
    ),
    Cue.IF: (
        "en if|suppose|supposing|assuming|in case|unless|were it",
        "es si fuera|si la pregunta|si hubiera|en caso de",
        "pt se fosse|se a pergunta|caso",
        "fr si c était|si la question|si on",
        "de wenn|falls|sofern",
        "it se fosse|se la domanda",
        "ru если|если бы|будь",
        "tr eğer|olsaydı",
        "zh 如果|若|假如|倘若|要是",
        "ja もし|であれば|ならば|なら",
        "ko 만약|이라면|라면",
        "ar إذا|لو|إن كان",
        "fa اگر",
        "he אם",
        "hi अगर|यदि",
        "th ถ้า|หาก",
        "el αν|εάν",
    ),
    Cue.WOULD: (
        "en would|would have|were|had been|would be|would have been",
        "es sería|hubiera sido|habría",
        "pt seria|teria",
        "fr serait|aurait",
        "de wäre|hätte|würde",
        "it sarebbe|avrebbe",
        "ru был бы|была бы|было бы|были бы|бы",
        "tr olurdu|olacaktı",
        "zh 会是|就是",
        "ja でした|だった|になり",
        "ko 것입니다|일 것",
        "ar لكان|لكانت|سيكون|ستكون",
        "fa می بود|میبود|خواهد بود",
        "he היה|הייתה",
        "hi होता|होती",
        "th จะเป็น|จะ",
    ),
    Cue.CORRECTION: (
        "en wait|no wait|hold on|scratch that|correction|on second thought|on second thoughts|let me correct|let me reconsider|let me rethink|i made a mistake|i misspoke|my mistake|i mean|"
        "i meant|actually no|oops|strike that|hmm no|or rather|no actually|i was wrong|i stand corrected|let me recheck|let me double check|apologies|sorry i meant|on reflection|"
        "upon reflection|i take that back|thats not right|that is not right|thats wrong|that is wrong|i got that wrong|i change my mind|changed my mind|i correct myself|make that",
        "es espera|espere|perdón|me equivoqué|me corrijo|corrijo|mejor dicho|pensándolo mejor|no espera|corrección",
        "pt espera|espere|desculpe|corrigindo|me enganei|pensando bem|correção|melhor dizendo|quer dizer",
        "fr attendez|attends|pardon|je me corrige|en fait non|je me suis trompé|à la réflexion|correction|non attendez|ou plutôt|je rectifie",
        "de moment|warte|moment mal|korrektur|ich korrigiere|ich habe mich geirrt|nein warte|ich meine|bei näherer überlegung|vielmehr|stopp|ich korrigiere mich|quatsch",
        "it aspetta|aspetti|anzi|mi correggo|mi sono sbagliato|ripensandoci|correzione|volevo dire",
        "nl wacht|correctie",
        "ru подождите|подожди|стоп|точнее|поправка|я ошибся|я ошиблась|погодите|нет подождите|исправляюсь|вернее|поправлюсь|хотя нет",
        "el περίμενε|διόρθωση|συγγνώμη|μάλλον όχι",
        "tr bekle|bekleyin|düzeltme|düzeltiyorum|yanıldım|daha doğrusu|pardon|özür dilerim",
        "zh 等等|等一下|更正|我错了|说错了|纠正|我弄错了|重新考虑|抱歉 应该是|再想想|我改一下|不对 等等|不对 应该是",
        "ja 待って|いや|訂正|失礼|間違えました|訂正します|待ってください|考え直|よく考え",
        "ko 잠깐|잠깐만|잠깐만요|정정|정정합니다|다시 생각|실수|잘못 말|아니 잠깐|아니요 잠깐",
        "ar انتظر|عذرا|تصحيح|أصحح|أخطأت|مهلا|بل الأصح|عفوا",
        "fa صبر کن|صبر کنید|ببخشید|تصحیح|اشتباه کردم|اصلاح|اصلاح میکنم|اصلاح می کنم",
        "he רגע|תיקון|סליחה|טעיתי|חכה",
        "hi रुकिए|रुको|माफ़ कीजिए|माफ कीजिए|सुधार|ठहरिए|मुझसे गलती|मैं गलत था",
        "th เดี๋ยวก่อน|เดี๋ยว|ขอแก้ไข|แก้ไข|ขอโทษ|คิดอีกที|ไม่ใช่สิ",
    ),
    Cue.FILLER: (
        "en it|is|its|it is|thats|that|this|was|are|the|a|an|definitely|certainly|sure|surely|of course|clearly|obviously|probably|most likely|likely|i think|i believe|i guess|i suppose|well|"
        "ok|okay|in my opinion|as far as i know|would be|must|simply|just|called|named|for sure|my|be|here|great question|good question|hi|hello|easy|absolutely|of|id|"
        "to my knowledge|thanks|thank you|hope this helps|hmm|hm|um|uh|oh|ah|that would be|it would be|it was|this is|indeed|undoubtedly|to|you|let me think|got it|alright|right away|there|only|final|please|as follows|in short|i|im|am|do|does|say",
        "es es|la|el|los|las|es la|es el|un|una|creo que|claro|por supuesto|son|fue|en mi opinión|seguramente|pienso que|sí|de|se llama|a mi juicio|buena pregunta|esta|está|lo|que|seguro",
        "pt são|os|as|um|uma|acho que|claro|foi|com certeza|penso que|é a|é o|creio que|provavelmente|em|da|do|de|chama se",
        "fr c|est|c est|le|la|les|un|une|je pense que|je crois que|bien sûr|il s agit de|ce sont|sont|était|l|à mon avis|certainement|s appelle|il|s|agit|de|d|du|qu|que|pense|crois|je",
        "de es|ist|das|der|die|dem|den|ein|eine|ich denke|ich glaube|natürlich|sicher|klar|das ist|es ist|sind|war|meiner meinung nach|heißt|ich|denke|glaube|dass|wohl|wahrscheinlich|ganz|gern|gerne",
        "it è|il|lo|gli|i|sono|credo che|penso che|certamente|un|una|era|si chiama|credo|penso|che|certo",
        "nl het|de|een|dat|ik denk",
        "ru это|является|я думаю|думаю|что|конечно|по моему|я считаю|был|была|было|называется|безусловно|разумеется|наверняка|я|считаю",
        "el είναι|το|η|ο|φυσικά|νομίζω|ότι|την|τον",
        "tr dir|dır|tir|tır|dur|dür|tur|tür|bu|bence|elbette|tabii|kesinlikle|sanırım|olur|olarak|bir|tabii ki|dı|di|idi",
        "zh 是|为|的|就是|当然是|我认为|我觉得|我想|应该是|这是|它是|它|这|那|当然|好的|应该|为什么|叫|叫做|显然|一定是|了|呢|吧|啊|吗",
        "ja です|だ|である|でした|は|が|を|の|も|に|ですね|でしょう|それは|これは|もちろん|はい|と|だと|思い|ます|私|ござい|になります|となります|という|いう",
        "ko 입니다|이다|이에요|예요|그것은|이것은|네|물론|바로|저는|당연히|요|것",
        "ar هو|هي|إنها|إنه|هذه|هذا|بالتأكيد|أعتقد أن|أظن أن|طبعا|أعتقد|أنها|أنه|أن|إن|نعم|بالطبع|تسمى|يسمى|كان|كانت",
        "fa است|این|آن|البته|حتما|فکر می کنم|فکر میکنم|به نظر من|می باشد|میباشد|هست|بله|که|بود",
        "he זה|זו|היא|הוא|כמובן|אני חושב|אני חושבת|לדעתי|בוודאי|את",
        "hi यह|है|हैं|वह|निश्चित रूप से|मुझे लगता है|मेरे विचार से|बेशक|जी हाँ|कि|जी|था|थी|का|की|के|ये",
        "th คือ|เป็น|ครับ|ค่ะ|นะ|แน่นอน|นี่คือ|ได้แก่|ว่า|คิดว่า|ผม|ฉัน|ก็|นั้น|จ้า|คะ",
        "id adalah|itu|ini",
        "vi là|đó",
    ),
    Cue.NOTHING: (
        "en no doubt|without doubt|without a doubt|without any doubt|beyond doubt|not only|no question|without question|cant go wrong|not surprisingly|why not|if im not mistaken|if i am not mistaken|"
        "if not mistaken|if i remember correctly|if i recall correctly|if i recall|if i remember|if memory serves|if you ask me|if i had to choose|if i had to guess|if i had to pick|if i have to choose|if i must choose|"
        "if i must|if forced|if forced to choose|none other than|nothing but|nothing other than|not an expert|dont doubt|do not doubt|no wonder|no problem|not just|not least|cannot be anything other than|"
        "cant be anything other than|cant be anything but|couldnt be anything but|cannot be anything but|not to mention|last but not least|whether or not|not merely|cant help but|if you want|if you need|"
        "if you have|no matter|no less than|not wrong|isnt wrong|not incorrect|not false|no other|let me know if|not hard|not difficult|if i may|and no one else|no exception|with no|not a single|"
        "cannot be denied|cant be denied|no one can deny|so far|so called|not long|right after|right before|right away|on the right|the right side|right now|all right|right hand|"
        "i have no personal opinion|no longer|not far|not unlike|do not confuse|dont confuse|even if|as if|best known|and so on|so that|so many|so much|until then|since then|not until|"
        "dont forget|no hesitation|without hesitation|what if|not the only",
        "es sin duda|no cabe duda|no solo|sin ninguna duda|no hay duda|si no me equivoco|ni más ni menos que|nada menos que|no hay ninguna duda|no lejos|no muy lejos",
        "pt sem dúvida|não só|não há dúvida|se não me engano|nada menos que|não apenas|não há dúvidas",
        "fr sans doute|sans aucun doute|pas de doute|non seulement|il n y a pas de doute|si je ne me trompe pas|pas seulement|n est autre que|aucun doute|nul doute",
        "de kein zweifel|ohne zweifel|nicht nur|zweifellos|wenn ich mich nicht irre|nichts anderes als|kein anderer als|keine frage|wenn ich mich recht erinnere|nicht weit",
        "it senza dubbio|non solo|non c è dubbio|se non sbaglio|non lontano",
        "ru без сомнения|нет сомнений|не только|несомненно|если не ошибаюсь|если я не ошибаюсь|не что иное как|не кто иной как|вне сомнения|если мне не изменяет память|никаких сомнений",
        "tr şüphesiz|kuşkusuz|hiç şüphe yok|sadece değil|yanılmıyorsam|şüphe yok|sadece",
        "zh 毫无疑问|不仅|无疑|不但|不用说|没错|不过是|如果没记错|没问题|无非|不只|不仅仅|如果我没记错|如果我没记错的话|不错|毫无疑问是|非洲|非常|不同|不久|不断|不少|是否|无论|而且|和平|即使|故事|答应|不管|不论|南非|不丹|和谐|或许|与其|参与|不到|不足|不用|不得不|非凡|不可否认|不难|不客气|选举|选手|当选|不仅是|除非|不外乎",
        "ja 間違いなく|に違いありません|に違いない|間違いありません|かもしれません|かもしれない|だけでなく|しかない|他ならない|ほかなりません|に他なりません|間違いない|ではないかと思|ではないでしょうか|に間違いありません|しかありません",
        "ko 틀림없이|뿐만 아니라|틀림없습니다|틀림없|의심할 여지 없이|의심의 여지가 없습니다|의심할 여지가 없습니다|다름 아닌",
        "ar لا شك|بلا شك|بدون شك|ليس فقط|دون شك|لا ريب|إذا لم أكن مخطئا|بدون أي شك|لا شك أن",
        "fa بی شک|بدون شک|نه تنها|اگر اشتباه نکنم|بدون تردید|بی تردید|کسی جز",
        "he ללא ספק|אין ספק|לא רק|אם אינני טועה|בלי ספק",
        "hi निस्संदेह|कोई शक नहीं|कोई संदेह नहीं|न केवल|बिना किसी संदेह|इसमें कोई संदेह नहीं|अगर मैं गलत नहीं हूँ|बिना शक",
        "th ไม่ต้องสงสัย|ไม่เพียง|ไม่เพียงแต่|ไม่ผิด|ไม่มีข้อสงสัย|อย่างไม่ต้องสงสัย",
        "el χωρίς αμφιβολία|όχι μόνο|δεν υπάρχει αμφιβολία",
    ),
    Cue.BOTH: (
        "en both|all of the above|all of these|all of them|all the above|all three|all four|every one of these|all options|all are|they all|each of them|both of them|both are",
        "es ambos|ambas|los dos|las dos|todas las anteriores|todos los anteriores|todas",
        "pt ambos|ambas|os dois|as duas|todas as anteriores|todas as alternativas",
        "fr les deux|tous les deux|toutes ces réponses|toutes les réponses|toutes",
        "de beide|beides|alle genannten|alle der genannten|alle davon",
        "it entrambi|entrambe|tutte le precedenti|tutti e due",
        "ru оба|обе|все перечисленные|всё перечисленное|все вышеперечисленное|и то и другое|все варианты",
        "tr her ikisi|her ikisi de|ikisi de|hepsi|yukarıdakilerin hepsi",
        "zh 两者都|两者|都是|以上都是|以上全部|全部都是|都对|二者皆",
        "ja 両方|どちらも|すべて|全て|上記すべて|以上すべて|上記のすべて",
        "ko 둘 다|모두|위의 모든 것|전부|위의 모두",
        "ar كلاهما|كلتاهما|كل ما سبق|جميع ما سبق|كلا",
        "fa هر دو|همه موارد|همه ی موارد|هردو|همهٔ موارد|همه",
        "hi दोनों|उपरोक्त सभी|सभी|ये सभी",
        "th ทั้งสอง|ทั้งคู่|ถูกทุกข้อ|ทั้งหมด|ทุกข้อ",
    ),
    Cue.NEITHER: (
        "en neither|none|none of the above|none of these|none of them|neither of them|neither of these|neither one|no option",
        "es ninguno|ninguna|ninguno de los anteriores|ninguna de las anteriores|ninguno de los dos",
        "pt nenhum|nenhuma|nenhuma das anteriores|nenhum dos dois|nenhuma das alternativas",
        "fr aucun|aucune|aucune de ces réponses|ni l un ni l autre|aucun des deux",
        "de keines von beiden|keiner von beiden|keine der genannten|keins von beiden|keines davon|keine davon",
        "it nessuno|nessuna|nessuna delle precedenti|nessuno dei due",
        "ru ни один|ни одна|ни один из|ни то ни другое|ничего из перечисленного|ни один из них",
        "tr hiçbiri|ikisi de değil|hiçbiri değil",
        "zh 都不是|以上都不是|两者都不|都不对|以上皆非|均不是",
        "ja どちらでもない|どちらでもありません|どれでもない|どれでもありません|該当なし|いずれでもない|いずれでもありません",
        "ko 둘 다 아닙니다|둘 다 아니다|모두 아닙니다|해당 없음|아무것도|둘 다 아님",
        "ar لا شيء مما سبق|ليس أي منهما|لا هذا ولا ذاك|أي مما سبق ليس",
        "fa هیچ کدام|هیچکدام|هیچ یک",
        "hi कोई नहीं|इनमें से कोई नहीं|दोनों नहीं|उपरोक्त में से कोई नहीं",
        "th ไม่มีข้อใดถูก|ไม่ใช่ทั้งสอง|ไม่มีข้อถูก",
    ),
}  # fmt: skip

_REFUSALS = (
    "en i must decline|i have to decline|decline to|i refuse|i cannot in good conscience|not comfortable|dont have personal|do not have personal|dont have opinions|do not have opinions|dont have preferences|"
    "do not have preferences|dont have feelings|dont have beliefs|do not have beliefs|no personal opinion|no personal opinions|not appropriate for me|inappropriate for me|prefer not to|rather not|against my guidelines|"
    "against my policy|no comment|my guidelines|i dont have an opinion|i do not have an opinion|dont hold opinions|do not hold opinions|stay neutral|remain neutral|not my place|dont take sides|do not take sides|"
    "not programmed to|outside my scope|beyond my scope|unable to engage|as an ai i dont have|not going to answer|id rather skip|i do not feel comfortable|dont feel comfortable|"
    "dont provide|do not provide|not in a position to|dont discuss|do not discuss",
    "es no puedo responder|no puedo ayudar|no puedo ayudarte|no puedo contestar|no puedo proporcionar|no puedo dar|no puedo opinar|no tengo opiniones|no tengo opinión|prefiero no|lo siento pero no puedo|"
    "no me es posible|no estoy en condiciones|no debo responder|no puedo asistir|no puedo elegir|no puedo ofrecer|no puedo hablar|me niego|no tengo preferencias|no puedo comentar|no puedo tomar",
    "pt não posso responder|não posso ajudar|não posso fornecer|não posso opinar|não tenho opiniões|prefiro não|não consigo responder|não consigo ajudar|não me é possível|não posso dar|não tenho opinião|recuso me|não posso escolher|"
    "não posso discutir|não posso comentar|não tenho preferências|não posso te ajudar|não posso ajudá",
    "fr je ne peux pas répondre|je ne peux pas vous aider|je ne peux pas t aider|je ne peux pas aider|je ne peux pas fournir|je ne peux pas donner|je n ai pas d opinion|je n ai pas d opinions|je préfère ne pas|"
    "je ne suis pas en mesure|je refuse|je ne peux pas me prononcer|je ne peux pas choisir|je dois décliner|je n ai pas d avis|je ne peux pas discuter|je ne peux malheureusement pas|je ne saurais répondre",
    "de ich kann nicht antworten|kann ich nicht beantworten|ich kann diese frage nicht|ich kann das nicht beantworten|kann ich nicht helfen|nicht helfen|ich kann ihnen dabei nicht|ich kann dir dabei nicht|ich kann dabei nicht|"
    "ich habe keine meinung|ich habe keine persönliche|ich möchte nicht|ich lehne|ich darf nicht|nicht beantworten|keine auskunft|ich kann dazu keine|ich kann dazu nichts|ich habe keine persönlichen|ich bin nicht in der lage|ich muss ablehnen|"
    "möchte ich nicht|werde ich nicht beantworten|kann ich leider nicht|nicht äußern",
    "it non posso rispondere|non posso aiutarti|non posso aiutare|non posso fornire|non ho opinioni|preferisco non|non sono in grado di|mi rifiuto|non posso esprimere|non posso dare|non ho un opinione|non posso aiutarla",
    "nl ik kan niet helpen|ik kan deze vraag niet beantwoorden|daar kan ik niet|ik kan je daar niet|ik heb geen mening",
    "ru не могу ответить|не могу помочь|не могу отвечать|не могу предоставить|у меня нет мнения|у меня нет личного мнения|у меня нет личных|предпочту не|предпочитаю не|отказываюсь|не могу обсуждать|не могу дать|не имею возможности|"
    "не буду отвечать|не могу выбрать|не имею права|я не в состоянии|не могу выполнить|вынужден отказаться|вынуждена отказаться|не могу комментировать|воздержусь",
    "uk не можу відповісти|не можу допомогти",
    "pl nie mogę odpowiedzieć|nie mogę pomóc",
    "el δεν μπορώ να απαντήσω|δεν μπορώ να βοηθήσω|δεν μπορώ να σας βοηθήσω",
    "tr cevap veremem|yanıt veremem|yardımcı olamam|yanıtlayamam|cevaplayamam|bu konuda yardımcı|fikrim yoktur|görüş bildiremem|kişisel görüşüm yok|yardımcı olamıyorum|cevap vermeyi|yanıtlayamıyorum|cevaplayamıyorum|"
    "kişisel bir görüşüm yok|bilgi veremem|yorum yapamam|reddediyorum|cevap vermek istemiyorum",
    "zh 无法回答|不能回答|无法提供|不能提供|无法协助|不能协助|无法帮助|不能帮助|无法帮您|不便回答|拒绝回答|没有个人观点|没有个人意见|不便评论|无法发表|无法给出|不方便回答|不予|无法满足|没有个人偏好|不发表|无法讨论|不能讨论|帮不了|不能帮|無法回答|"
    "恕我无法|没有立场|无可奉告|不持有|没有个人|不会回答",
    "ja お答えできません|答えられません|回答できません|お答えすることはできません|お答えすることができません|お手伝いできません|答えることはできません|回答することはできません|意見を持っていません|意見はありません|個人的な意見|"
    "お断り|控えさせて|お答えしかねます|お応えできません|提供できません|支援できません|答えかねます|応じられません|お力になれません|意見を持ちません|差し控え|答えることができません|対応できません|応じることができません|応じることはできません",
    "ko 답변할 수 없습니다|답변드릴 수 없습니다|대답할 수 없습니다|도와드릴 수 없습니다|도울 수 없습니다|제공할 수 없습니다|답할 수 없습니다|개인적인 의견|의견이 없습니다|의견을 가지고 있지 않습니다|거절|답변을 드릴 수 없습니다|"
    "답변해 드릴 수 없습니다|대답해 드릴 수 없습니다|답변하기 어렵습니다|도움을 드릴 수 없습니다|답변 드릴 수 없습니다|말씀드릴 수 없습니다|제공해 드릴 수 없습니다|답변드리기 어렵습니다|대답하지 않겠습니다|답변하지 않겠습니다",
    "ar لا أستطيع الإجابة|لا يمكنني الإجابة|لا يمكنني المساعدة|لا أستطيع المساعدة|لا يمكنني مساعدتك|لا أستطيع مساعدتك|لا يمكنني تقديم|ليس لدي رأي|ليس لدي آراء|أعتذر عن|أفضل عدم|أرفض|لا يمكنني أن أجيب|لا أستطيع أن أجيب|لا يمكنني التعليق|"
    "لا أستطيع تقديم|لا يمكنني إبداء|لا أملك رأيا|لا أملك آراء|لا يمكنني الرد|لا أستطيع الرد|غير قادر على|لا أقدر على",
    "fa نمی توانم پاسخ|نمیتوانم پاسخ|نمی توانم کمک|نمیتوانم کمک|نمی توانم به این|نمیتوانم به این|نظر شخصی ندارم|ترجیح می دهم|ترجیح میدهم|از پاسخ دادن|نمیتوانم در این|نمی توانم در این|معذورم|قادر نیستم|قادر به پاسخ|نظری ندارم|نمیتوانم جواب|نمی توانم جواب|"
    "امکان پاسخ|نمیتوانم نظر|نمی توانم نظر|خودداری می کنم|خودداری میکنم|نمیتوانم ارائه|نمی توانم ارائه",
    "he לא אוכל לענות|איני יכול לענות|אני לא יכול לענות|לא אוכל לעזור|אני לא יכול לעזור|איני יכול לעזור|לא יכולה לענות|מסרב|אין לי דעה|לא יכול לסייע|לא אוכל לסייע",
    "hi उत्तर नहीं दे सकता|जवाब नहीं दे सकता|मदद नहीं कर सकता|सहायता नहीं कर सकता|उत्तर देने में असमर्थ|जवाब देने में असमर्थ|कोई राय नहीं|व्यक्तिगत राय नहीं|उत्तर नहीं दे सकती|मदद नहीं कर सकती|जवाब नहीं दे सकती|असमर्थ हूँ|असमर्थ हूं|"
    "जवाब नहीं दूंगा|उत्तर नहीं दूंगा|टिप्पणी नहीं कर सकता|व्यक्तिगत राय नहीं है|सहायता नहीं कर सकती|राय नहीं रखता|प्रदान नहीं कर सकता",
    "th ไม่สามารถตอบ|ไม่สามารถช่วย|ตอบไม่ได้|ช่วยไม่ได้|ไม่สามารถให้|ไม่มีความคิดเห็น|ขอไม่ตอบ|ไม่สะดวก|ขอปฏิเสธ|ไม่สามารถแสดงความคิดเห็น|ขอไม่แสดงความเห็น",
    "id saya tidak dapat menjawab|saya tidak bisa menjawab|saya tidak dapat membantu|saya tidak bisa membantu",
    "vi tôi không thể trả lời|tôi không thể giúp",
    "sv jag kan inte svara|jag kan inte hjälpa",
)  # fmt: skip

_CANNOT = (
    "i cannot|i cant|im unable to|i am unable to|im not able to|i am not able to|i wont|i will not|i can not|we cannot|we cant|unable to|not able to|im not going to|not allowed to|not permitted to|"
    "i could not|i shouldnt|i should not|cant really|cannot really|i do not wish to|i dont want to|i dont wish to"
)
_DO = (
    "answer|help|assist|provide|share|give|offer|discuss|comment|respond|fulfill|fulfil|comply|engage|choose|pick|recommend|express|participate|take sides|support|continue|complete|select|"
    "directly answer|ethically|in good conscience|have opinions|form opinions|have personal|do that|address|advise|weigh in|take a position|take a stance|speculate|reply|endorse|process"
)


def phrases() -> Iterator[tuple[str, Cue]]:
    """Every phrase with what it does; a phrase that is given twice counts as what it does last."""
    for cue, lines in PHRASES.items():
        for line in lines:
            for phrase in line.partition(" ")[2].split("|"):
                yield phrase, cue
    for line in _REFUSALS:
        for phrase in line.partition(" ")[2].split("|"):
            yield phrase, Cue.REFUSAL
    for cannot in _CANNOT.split("|"):
        for do in _DO.split("|"):
            yield f"{cannot} {do}", Cue.REFUSAL
