"""Frequent names of people, by which a name in small letters is told: whitfield_john.nii.gz.

The lists are from general knowledge of what people are called, and of no data. Words of files, methods and
software (mark, max, julia, clara, sam, adam, bert) are left out.
"""

from __future__ import annotations

GIVEN = """
aarne aaron abbas abdallah abdel abdelaziz abdelkader abdelkarim abdelrahman abdul abdulaziz abdulkarim
abdulla abdullah abdulrahim abdulrahman abebe abena abida abigail abiodun abraham achieng achim adalbert
adebayo adedayo adela adelaide adele adelheid adem adeola adesuwa adina aditi aditya adnan adrian adriana
adriano adrien adwoa afonso afua agamemnon agata agatha agathe agnes agnese agneta agnieszka agostina
agostinho agron agus agustin ahlam ahmad ahmed ahmet aicha aidan aigerim aikaterini aiko ailsa aime aino
aisha aisyah aitana aivars aizhan ajay ajit akash akbar akiko akin akinyi akira akosua aksel akshay akua
alain alasdair albane albert alberto albrecht aldo alejandra alejandro aleksandar aleksander aleksandr
aleksandra aleksandras aleksandër aleksei aleksey aleksy alemayehu alena alessandra alessandro alessia
alessio alexander alexandr alexandra alexandros alexandru alexei alexey alfio alfonso alfred alfredo
algirdas alia alibek alice alicia alina alireza alisher alison alla allison almaz alois alojzy alonso
alphonse alvaro alwin alyona amadeu amadou amaka amal amalia amanda amandine amani amara ambrozy amedeo
amelia amelie amichai amin amina aminata amine amir amira amirhossein amit amita amitabh ammar amparo
amrita amy anabela anahit anais anas anastasia anastasios anastasiya anastazja anatoliy anatoly anca
anders andjela andrea andreas andrei andres andrew andrey andris andrzej andy aneta anette anfisa angela
angelika angeliki angelo aniela anil anisoara anita anja anjali anjum anke ankit ankita anna annabel anne
anneke anneli annelies anneliese annemarie annette annie annika anong anselmo ansgar antanas ante antero
anthi anthony anto antoine antoinette anton antonella antonia antonin antonina antonino antonio antonios
antti anttoni anup anupam anuradha anvar anyango anzhela aparna apinya araceli arash arben archana arezoo
arianna arie arief ariel arif arina aristeidis aristotelis arja arjen arjun arkadiusz arkady armand
armando armen armida armin arnaldo arnaud arne arnold arpine arsen arshad artak artem arthur arto artur
arturo artyom arun aruna arunas arvid arvind arzu asami asante asbjorn asel asep asger asghar asha asher
ashish ashley ashok ashot asif asim askar asli asma assunta astrid asuka asuman asuncion athanasia
athanasios atieno atsuko atsushi attila attilio audrey augusta augusto auli aurel aurelia aurelie aurelio
ausra avigail avinash aviva avner avraham avtandil awino axel ayaka ayako ayala ayat ayesha ayfer ayhan
aylin ayman aynur ayodele ayoub ayse aysegul aysel aysun ayumi azadeh azamat azhar aziz aziza azizah azusa
azza babajide babatunde babita badr baerbel bahaa bahar bahram baiba balaji balazs bambang banu baozhen
baraka barbara barbel baris barry bart bartosz baruch basel bashir basim basma bastian batya baurzhan
beata beatrice beatriz bedrich begona behnaz behrouz behzad bekir belgin belinda bence benedetta benedetto
benedicte beniamino benito benjamin benoit benyamin berenice berit berna bernadette bernard bernardino
bernardo bernd bernhard bertha bertram bertrand beryl besik besnik beth bethany bettina betul beverley
beverly bharati bhavana biagio bianca bice bich bilal binh birger birgit birgitta birthe birute bjarni
bjoern bjorn blanca blandine blanka blerim boaz bodil bogdan bogdana boglarka boguslaw boguslawa bohdan
bohumil bohuslav bojan bojana bolanle boleslaw boris borislav borje bosse botagoz boubacar bouchra bozena
bradley brahim bram brandon branimir branislav branka branko brenda brendan brian bridget brigida brigitte
brita britt britta bronislaw bronislawa bruce bruna brunhilde bryan bryndis bujar bukola bulent burak
burcu burkhard busisiwe busra byung caetano cafer caio caitlin caitriona callum calogero calum camelia
cameron camila camilla camille camillo canan candida capucine carina carl carla carlos carmela carmelo
carmen carmine carole caroline carolyn carsten catalin catalina catarina caterina catherine cathy cecilia
cecylia cedric cees celestine celia celine cemal cemile cengiz ceren cesar cesare cevdet cezary chaim
chaiwat chalerm chana chandra chandrakant changmin chanho chanida chantal chaoyang charalambos charles
charlie chau chava cheryl chetan chiaki chiamaka chiara chibuzo chidi chidinma chie chieko chien chika
chikako chikondi chinedu chinonso chinwe chioma chiyo chiyoko chloe chris christa christel christelle
christian christiane christina christine christoph christophe christopher christos chrysanthi chrysoula
chukwuemeka chunhua chunlan cigdem cihan cindy cinzia cirillo claire clare clarence clarice clarisse
claudette claudia claudine claudio claus clement clementine clifford clive clotilde colette colin colleen
concepcion concetta connor conor constance constantin consuelo corentin corinna corinne cornel cornelia
corneliu corrado corrie cosimo cosmin costanza costel courtney craig crina cristian cristina cristobal
cuong curtis custodio cynthia cyril czeslaw czeslawa daehyun dafna dagmar dagmara dagny daichi daiki
dainis dainius daisuke dalal dalia damian damiano damiao damien dana danica daniel daniela daniele
danielle danijela daniyar danjuma danny danuta daphne daria darina dario darius dariush dariusz darmawan
darren darya daryl dave davi david davide davit debora deborah debra decebal declan dedi deepa deepak
deepika deirdre dejan delphine demet demetrio denis denise deniz dennis deolinda derek derrick desanka
desmond despina detlef devendra devi devora dewi dezso dhruv diah dian diana diane dianne didier diederik
diego dien dieter dietmar dietrich dijana dilek diletta dilip dilnoza dilshod dimitar dimitra dimitrios
dimitris dina dinara dinesh diogo dionysios divya djoko djordje dmitri dmitriy dmitry dobrila doina
domenica domenico domingos dominika dominique donald donatella donato dongha donghoon donghyun dongmei
dongwook donna doreen dorel dorin doris doron dorota dorothea dorothy douglas dragan dragana dragica drago
dragoljub dragos drahomira driss drita duangjai duarte dubravka dumitru duncan duong durga durmus dusan
dusanka dylan eamon earl ebele eberhard ebrahim ebru ecaterina eckhard edeltraud edgar edin edith edmund
edna edoardo edouard edson eduard eduarda eduardo edvardas edward edwin edyta eero efraim efstathios
eftychia efua egidio egil egon egor ehab ehud eija eiji eiko eila eileen eilidh einar eino eirini eitan
eivind ekaette ekaterina ekaterine ekkehard ekua elaheh elaine eleanor eleftheria eleftherios elena eleni
eleonora elfriede elham eliane eliezer elin elio elira elisa elisabeth elisabetta elisavet elise eliseu
elisheva elizabeth elizaveta elke ella ellen ellie ellinor elliot elodie elsa elsbeth elsie elsje elvir
elvira elzbieta emad eman emanuel emanuele emeka emel emiko emil emilia emilian emilie emilio emily emina
emine emma emmanouil emmanuel emmanuelle emrah emre encarnacion endang enes engin enid eniko ening enrica
enrico enrique enzo eran ercan ercole erdal erdem erdogan erhan erhard eric erica erich erik erika erkan
erkki erlan erling ermanno ermelinda erna ernest ernesto ernst erol ersilia ersin erwin erzsebet eskil
esma esmaeil esme espen esperanza esra essam esteban estefania estelle esther eszter ethan ethel etienne
etsuko ettore euan eugen eugene eugenia eugenie eugenio eugeniusz eulalia eunha eunhye eunice eunji eunju
eunjung eunkyung eunmi eunseo eunyoung eusebio eva evan evandro evangelia evangelos evaristo evdokia
evelyn evgeni evgenia evgeniy evgeny ewald ewan eylul fabiana fabien fabienne fabio fabiola fabrice
fabrizio fadi fadia fadime fadwa fahad fahd fahim fahri faisal faiza fanta farah fares farhad farhan
fariba farid farida faridah farideh faruk farzad farzana farzaneh fatemeh faten fathi fatih fatiha fatima
fatma fatmir fatou fatoumata faustino fauzia fawzi fawzia fayez federica federico fedor felicia felicie
felicitas feliks felipe felisa felisberto femi femke fengying ferdinand ferenc fereshteh fergus ferhat
feride fermin fernand fernanda fernande fernando ferruccio ferry feruza feyza figen fikret filip filipa
filipe filippo filiz filomena finn fiona fiorella fiorenzo firat fitri flamur flavia flavio florencia
florian florica florin flutura folake folasade folke forrest fotini fotis fouad franca frances francesca
francesco francis francisca francisco franciszek franck franco francois francoise franklin frans frantisek
franz franziska fred freda frederic frederick frederique fredrik frida friederike friedrich frits fritz
frode fumiko fumio funda funke funmilayo furkan fyodor gabor gabriel gabriela gabriele gabrielle gadi
gaelle gaetano gagik galit gamze garegin gareth gary gaspare gaston gaurav gautam gavin gavril gayane
gayatri gediminas geert geeta geir gemma genevieve genji gennady gennaro genowefa geoffrey georg george
georges georgeta georgette georgina georgios georgy gerald geraldine gerard gerardo gerda gergely gergo
gerhard gerlinde germaine gernot gerrit gershon gertraud gertrud getachew gevorg gezim ghada ghasem
ghassan ghazala gheorghe ghislaine gholam gholamreza ghulam giacinta giacomo giampaolo gian gianfranco
giang gianluca gianni giannis gideon giedre gijs gilbert gilberte gilberto gilles gillian gilmar gina
ginette gino gintaras gioacchino giorgi giorgia giorgio giorgos giosue giovana giovanna giovanni girish
gisela gisele gitte giulia giuliana giuliano giulio giuseppa giuseppe giuseppina gizella gizem gladys gleb
glenda glenn gloria godfrey gokhan golnaz gonca gonul gonzalo gopal goran gordana gordon goro gottfried
govind gozde graca graham grazia graziella grazyna greetje greg greger gregorio gregory greta grethe
grigorios grigory grzegorz guadalupe gudmund gudmundur gudny gudrun guenter guenther guglielmo guido
guihua guilan guilherme guillaume guillermo guirong guiying guizhen gulay gulcan gulden gulhan gulizar
gulmira gulnara gulnora gulsah gulsen gulsum gulten gunawan gunhild gunilla gunn gunnar gunnel gunta
gunter gunther guntis gunvor guofang guohua guoqiang gurkan gurpreet gustav gustavo guus guven gwen
gwenaelle gwendolyn gwyneth gyeong gyorgy gyula habib habiba habibur hacer hadassah hadiza haejin haeun
hafeez hafiz hafsa haibo haidar haile haim haitham haiyan hajime hakan hakki hakob hala halil halima
halimah halime halina halit halldor halvor halyna hamad hamdi hamed hamid hamideh hamidreza hamish hamza
hanako hanan hanane hanbyul handan hanh hani hanna hannah hanneke hannele hannelore hans hansjorg
haralambos harald harish harmen harold harpreet harri harriet harriett harry hartmut hartono haru haruka
haruki haruko harun haruto harvey hasan hasanah haslina hasmik hasnah hassan hassna hatem hatice havard
havva hawa hayat hayk hayriye heba hector hedwig heejin heesun hege heidi heike heikki heiko heiner heino
heinrich heinz heitor helen helena helene helga helge helgi heli helio helle helmi helmut helmuth helvi
hemant hendra hendrik hendrika henk henning henri henriette henrik henrique henry henryk henryka herbert
heribert herman hermann hermenegildo herminia herta heru hesham hicham hidde hideaki hideki hideko hideo
hien hiep hikari hikaru hila hilary hilda hilde hildegard hilkka hiltrud himanshu hina hinata hind
hipolito hiroaki hiroki hiroko hiromi hiroshi hiroto hiroyuki hisako hisashi hisham hitomi hitoshi hjordis
holger hongmei hongxia horace horatiu horst hortense hossein hotaka houda houshang hovhannes howard hrafn
hrvoje hryhoriy hubert huda hugh hugo huguette huilan huimin hulya humaira humberto huong huseyin husnu
hussain hussein huyen hyejin hyekyung hyemi hyerim hyesun hyeyoung hynek hyojin hyojung hyunah hyunji
hyunjin hyunjoo hyunjung hyunmi hyunsoo hyunwoo iain ian iancu iara ibolya ibrahim ibrahima ibtisam ichiro
idalina idris ifeanyi ifeoma ignacio ignazio igor ihab ikenna ikuko ilan ilana ilaria ildefonso ildiko
ileana ilham ilhan ilias ilie ilir ilker ilknur ilona ilse ilya ilze imad iman imane imani imke immacolata
imogen imran inam inara inas indra indu ineke ines inese inessa inga inge ingeborg ingegerd ingemar inger
ingibjorg ingo ingrid ingvar inho inkeri inmaculada inna inseo insook intisar ioan ioana ioanna ioannis
iolanda ionel ionela ionut iosif iqbal irakli irena irene ireneusz irfan irina irja irma irmgard isaac
isabel isabella isabelle isamu isao isaura ishita isidoro isidro ismael ismail ismet isobel isolde issa
issam istvan itsuki itumelang itzhak iulia iulian ivan ivana ivanka ivars ivica ivone ivor iwan iwona
izabela jaakko jaan jaap jabir jacek jacinto jacira jackie jacob jacoba jacqueline jacques jadranka
jadwiga jaehyun jaemin jaeyoung jafar jagdish jahanara jaidee jaime jake jakub jalal jamal jamaludin james
jamie jamil jamila jamshid jana jane janet jangmi janice janina janis janneke jannetje jannik janos janusz
jared jari jarmila jarmo jaromir jaroslav jaroslaw jasbir jasmina jasna jason jaswinder javad javed javier
jawad jaya jayant jayanti jayashree jayne jeanette jeanne jeannine jeff jeffrey jelani jelena jelle jemima
jenna jennifer jenny jeno jens jeonghee jeongmin jeremy jeroen jerome jerry jerzy jesper jesse jessica
jesus jiahao jiahui jianguo jianhua jianjun jianping jiaqi jiaxin jiayi jieun jihan jihoon jihye jihyun
jill jim jimena jimin jimmy jindrich jinfeng jinghua jingjing jinhee jinho jinhua jinlong jinseok jinwoo
jiraporn jiri jirina jiro jisoo jisu jitka jiwon jiwoo jiyeon jiyoung joachim joakim joan joana joann
joanna joanne joao joaquim joaquin joaquina jocelyn jochen joe joel joelle joerg johan johann johanna
johannes john johnny joke joko jolan jolanta jon jonas jonathan jongho jonghyun jongmin jongsoo jonna
joohee joon joonho joop joost jorg jorge jorgen joris jorma jorunn jose josef josefa josefina josefine
josephine josette josh joshua josiane josip jost josue jouni jovan jovana joyce jozef jozefa jozefina
jozsef juan juana judit judith judy juergen jukka juliana julianna julianne julie julien juliet juliette
julio juliusz juma jungah jungeun junghee jungho junghoon junghwa jungmin jungsook junho junhyuk junichi
junjie junko junseo junyoung juozas jurate jurgen juri juris jurriaan jussara jussi justin justyna jutta
jyoti kaan kaare kaarina kacper kadir kadriye kaethe kagiso kaija kailash kaisa kaito kalev kalle kalliopi
kamal kamala kamariah kamau kamil kamila kamran kamrul kamuran kana kanako kanchan kaneez kanokwan kanya
kaori kaoru karel karen kari karim karima karin karine karitas karl karla karlheinz karlis karlygash karol
karolina karoline karoly karri karsten karthik kartik kartika kartini kaspar katalin katarzyna kate
katharina katherine kathleen kathrin kathryn kathy katica katie katja katri katrin katrina katsumi kauko
kaushalya kaveh kavita kavya kazem kazimiera kazimierz kazue kazuha kazuhiko kazuhiro kazuki kazuko kazumi
kazuo kazuya kazys kees keiichi keiji keiko keith kelechi kelly kemal kemi kenan kenichi kenji kenneth
kenta kentaro kerem keren kerim kerry kerstin kerttu ketevan kettil kevin khadija khaled khalid khalil
khanh khatuna khawla khoa khoi khosrow khurshid kianoush kien kimberly kimiko kinga kipchoge kiran kirill
kirsi kirsten kirsty kishore kittisak kiyoko kiyoshi kjell kjersti klaas klara klaus klavdia klementyna
klodian knud knut koen kofi koichi koji kojo komal konrad konstantin konstantina konstantinos koray
kornelia kosta kostas kotaro kourosh kresimir kreszenz krishna krishnan kristen kristian kristiina kristin
kristina kristjan krisztian krisztina krystian krystyna krzysztof ksenia ksenija kubra kulsum kumari
kumiko kunal kunigunde kunio kusum kwabena kwadwo kwaku kwame kwangsoo kwasi kwesi kyle kyoko kyosti
kyriaki kyriakos kyunghee kyungja kyungmi kyungsoo kyungsook lachlan lacramioara lada ladan ladislav
laetitia laila laima laimdota lajos lakshman lakshmi lali lalita lambros lamia lanying larisa larissa
larry lasha lasse laszlo latifa laura lauren laurence laurens laurent laurentiu lauri lavinia lawrence
laxmi layla lazar lazzaro leah leandro leanne lech leela leen leena leendert leida leif leila lembit
lennart leokadia leon leonard leonardo leonas leonid leonidas leonie leonor leopold leopoldine lerato
leroy lesley leslie lestari leszek leticia letizia levan levent levente levon lewis leyla liam libin libor
libuse licinia lidia lidiya lieke liem lies liesel lieselotte lihong lihua liisa lijuan lijun lilia lilian
liliana lilit lilla lillian liming lina linda lindiwe lindsay lindsey lionel liora liping liqin liridona
lisbet lisbeth lisette livia liviu liwei lixia ljiljana ljubica ljubomir loes lois lorant loredana lorena
lorenza lorenzo loretta lorna lorraine lothar lotte louis louise loukas lourdes luan lubna lubomir luca
lucette lucia lucian luciana luciano lucie lucien lucille lucinda lucio lucjan lucy lucyna ludmila ludovic
ludovica ludwig ludwik luigi luigia luis luisa luise luiz luiza luka lukas lukasz luke lule luminita
lungile lurdes lusine lutz lydia lynda lynette lynn lynne lyubov lyudmila maaike maarten mabel macarena
machteld maciej madalena madalina maddalena madeleine madeline madhav madhavi madhu madhuri maeve magda
magdalena magdalini magdolna maggie magne magnhild magnus maha mahboubeh mahdi mahendra mahesh mahfuz
mahin mahmoud mahmuda mahnaz mahsa maija maiko maimunah mairead majed majida makena maki makoto maksim
malak malati malcolm malee malgorzata maliheh malika malini malja malka mamadou mamoru mamta mamuka manabu
manal manana mandana mandla manee manfred manijeh manish manisha manjit manju manoel manohar manoj
manouchehr mansour manuel manuela maqsood marat marcel marcela marceline marcelle marcello marcelo marcia
marcin marcio marco marcos marcus mareike marek margaret margarete margarethe margarida margarita margaux
margery margit margot marguerite maria mariam mariama marian mariana mariangela marianne maribel
maricarmen maricica marie marieke marijke mariko marilena marilyn marin marina mario mariola marion maris
marisa marisol mariusz marja marjatta marjolein marjorie marketa markku marko marlene marlies marta martha
marthe martijn martin martina martti martyna marwa marwan mary maryam maryna marzena masaaki masahiko
masahiro masaki masako masami masao masaru masashi masato masatoshi masood masoud masoumeh massimiliano
massimo masumi matej mateo mateus mateusz matheus mathias mathieu mathilde mati matias matija matilda
matteo matthew matthias matti mattia matvey matyas maud maura maureen maurice mauricio maurizio mauro
mavis maxim maxime maximilian maya mayu mayuko mayumi mazal mazen mazlan mbali mechthild medet meelis
meena meenakshi meera mees megan megawati megumi mehdi mehmed mehmet mehrdad mehrnaz mehtap mehwish meihua
meike meiling meindert meir meiyu melanie melek melih melissa meltem menachem mengyao menno meredith mert
merve mervyn meryem mesut metin mette mevlut micaela michael michaela michail michal michelangelo michele
micheline michelle michiko mieczyslaw mieke mieko miep miguel mihaela mihai mihail mihajlo mihaly miho
mihoko mika mikael mike mikhail mikheil mikiko mikkel miklos mikyung milada milagros mildred milena milica
millicent milorad milos miloslav milovan mimoza minah minako mindaugas minghua mingming minh minho minhyuk
minjae minjeong minji minjun minjung minkyung minna minoo minoru minseo minseok minsoo minsu minyoung
miodrag mira miranda mircea mireille mirela mirella miriam mirja mirjana mirko miroslav miroslaw miroslawa
mirza misaki misako misook mitica mitsuko mitsuo mitsuru miwako miyako miyoung miyuki mizuki mladen moacir
modou mogens mohamadou mohamed mohammad mohammed mohan mohit mohsen moira moises mojgan mojtaba molly
momina momir monica monika monique montserrat morag mordechai morgan moritz morris morten moshe mostafa
motoko mounir mourad moussa mpho mridula mrinalini muammer muge muhammad muhammet muharrem mukesh mukul
mulyadi mulyono mumtaz muna munehiro munir munira murat muratbek muriel murielle murilo murugan musa
mustafa mustapha muzaffer mwangi mykhailo mykola myra myrtle myunghee myungsook mzia naama nabil nabila
nachum naciye nada nadeem nadege nader nadezhda nadia nadine nadir naeem nagaraj nagisa nahid naima najat
najib najla najwa nalan naledi namrata namsoo nana nanako nancy nandi nandini naoki naoko naomi narayan
narek narendra narges nargis nargiza narong naruemon naseem nasim nasima nasir nasreen nasrin nasser
natale natalia natalie nataliya natalya natasha nathalie nathan nathaniel natividad nato natsuki natsuko
nattapong nattaya naveed naveen nawaf nawal nayef nazan nazanin nazli nazma nazmiye nazri nebahat nebojsa
necati necla neda neelam neeltje neeraj neeta neha neide neil nellie nelson nemanja nenad neriman nermin
nesrin nesrine nevenka nevin nevzat nexhmije ngan nghia ngoc ngozi nguyet nhan nhat nhung nicanor nicholas
nicola nicolae nicolas nicole nicoleta nicoletta nicolo niels nigel nighat nihal nihat niilo nijole nikhil
nikita niklas nikola nikolai nikolaos nikolay nikolina nikos nilesh nilgun niloufar nilufer nina ningsih
nino nirmala nisha nitin nitza niyazi nizar njeri njoroge nkechi nkosazana nneka noah noboru nobuko nobuo
nobuyuki nodar noemi noemie nokuthula nomsa nomvula nongnuch nonhlanhla nopparat nora noraini norazlina
norbert norhayati noriko norio norma normunds nosipho nour noura ntombi nune nunzia nunzio nuraini nuran
nuray nurcan nurettin nurhan nurhayati nuri nuria nurit nurlan nursel nursultan nusrat nyambura nyokabi
oanh obinna ochieng octavian octavio oddny oddvar odette odhiambo odile ofer ofra oguz oili okan okechukwu
okja oksana oktay olabisi oladele olaf olafur olamide olav olavi olayinka oldrich oleg oleh oleksandr
oleksiy olena olga olha olimpia olinda oliver olivera olivia olivier olle olufemi olumide oluwaseun olwen
omar omer omondi ondrej onur onyekachi onyinye orathai orazio oren oreste orhan orietta orit ornella
orsolya osama osamu oscar oskar osman osnat ostap osvaldo oswald otabek otakar otar otavio othman otmar
ottavio ottilie otto oumar ousmane outi ovidiu owen ozan ozcan ozge ozgur ozlem paavo pablo paco padma
padmini palesa palle palmira paloma pamela panagiota panagiotis panayiotis pankaj paola paolo paraschiva
paraskevi parisa parvaneh parvati parveen parvin parviz pascale pasquale pasqualina patrice patricia
patrick patrizia patrycja paul paula paulette paulina pauline paulo pavel pavla pavlo pavlos pawel payam
pedro peeter peggy pekka pelagia pelin pelle penda penelope penina pensri percy perihan pernille persefoni
pertti pervez petar peter petr petra petras petrit petro petronela petronella petros petru petter philip
philippa philippe phillip phoebe phong phongsak phuc phung phuong phyllis piera pierluigi piero pierre
piet pieter pieternel pietro pimchanok pinar pinchas piotr piret pirjo pirkko piroska piyanuch polina
polyxeni pongsak pooja poul pouya prabha prabhakar pradeep pradip prakash pramod pranav prasad prasert
prasetyo prashant pratap pratibha praveen prayut preben predrag preecha prema premysl priscilla priti
priya priyanka puja purificacion pushpa puspita putri qamar qasim qiuyue quan quang quentin quoc quyen
quynh rabab rabeya rabia rachael rachel rachid rachida rachna rade radek radha radhika radim radka radmila
radomir radoslaw radovan radwan raed rafael rafaela raffaele raffaella rafik rafiqul raghav raghunath
ragna ragnar ragnheidur ragnhild rahim rahima rahimah rahma rahmat rahmawati rahul raija raili raimonds
raimund raimunda raimundo rainer raisa rajan rajani rajeev rajendra rajesh rajiv rajkumar raju ralf ralph
rama ramachandran raman ramazan ramesh ramiro ramona ramune ramzi randall randi randy rania ranjana ranjit
raphael raquel rares rasa rasha rashid rashidi rashmi rasmus ratchanee ratko ratna ratree raul rauno ravi
ravindra rayan raymond raymonde razia razvan rebecca recep reem refilwe regina reginald regine rehana
reidar reiko reinaldo reiner reinhard reinhold reinier rejane reka rekha remedios remi remy remziye renata
renate renato renaud renee renu renuka renzo resat resi rethabile retno reuven reza rhiannon rhys ricardo
riccardo richard rida rieko riet rigoberto riina riitta rika rima rimma rina rinaldo rini rinus risa rishi
risto rita ritu ritva rivka riyad riyanto rizki rizwan roald robert roberta roberto robina rocco rocio
rodica rodolfo rodolphe rodrigo roel rogelio roger rogerio rohan rohana rohani rohini rohit rokeya roland
rolf romain romana romano romas romolo ronald ronaldo ronit rosa rosalia rosalind rosamund rosangela
rosanna rosaria rosemary rosie roslan rosnah ross rossana rossella rostam rostislav roswitha rowena roy
roya rozalia rozita ruben rubina rudi rudiger rudolf ruediger ruggero ruiying rukhsana rukiye rukmana
rukmini runar rune rungnapa rupert ruslan rusli russell rustam rustem rusudan ruta rutger ruth ruti ruud
ruxandra ruzanna ryan ryoichi ryoko ryosuke ryota ryszard ryuichi saad saadet saadia saara sabah
sabahattin sabina sabine sabit sabri sabrina sabry saburo sachiko sachin sadako sade sadegh sadia sadik
saeed saeedeh safaa sahar sahil said saida saif saima sajid sajida sakari saki sakine sakura sakurako
salah salahuddin salam saleh salem salif salih saliha salim salima sally salma salmah salman salme
saltanat salvador salvatore salwa samantha samar samer samet samia samina samir samira samuel samvel sana
sanaa sanaz sanda sandeep sander sandhya sandor sandra sandrine sandris sangchul sangeeta sanghoon
sanghyun sangmin sangwoo sanja sanjana sanjay sanjeev sanna santi santiago santina santosh saowanee sara
sarah sarala sardor sari sarit sarita sarla saroj sarojini sarolta sarwar sasa sascha saskia satish satoko
satomi satoru satoshi satu saturnino satyam saud saule saulius savita sayaka sayed sayuri scott sean
sebastian sebastiao sebastien sebnem seda sedat seema sefa seiichi seija seiji seiko sekou selahattin
selami selcuk selda selim selma semra semyon senad senol seojin seojun seokjin seongho seonghyeon seongmin
seoyeon seoyoung seoyun sepideh seppo serafima serafina serap serdar serena sergei sergey sergio serhiy
serik serkan serpil seth setiawan setsuko seulgi seungho seunghyun seungmin sevda severin severine
severino sevgi sevil sevim seydou sezen sezgin shabana shabbir shabnam shadi shafiq shagufta shahana
shahid shahida shahin shahla shahnaz shahram shahrul shahrzad shai shailendra shaima shaista shakeel
shakuntala shalini shalva shamima shamsul shane shankar shannon shanta shanti shapour sharad sharif
sharmila sharmin sharon shashi shaul shaun shazia sheela sheila shelley sherif sherine sherzod shigeki
shigeko shigeo shigeru shilpa shimon shin shinichi shinji shinobu shiori shira shirin shirley shivani
shizue shizuka shizuko shlomo shmuel shobha shohei shoichi shoji shoshana shoshanna shota shpresa shreya
shruti shubham shufang shufen shuhua shuichi shuji shukhrat shulamit shulan shun shunsuke shuqin shushanik
shuying shuzhen shweta shyam sibel sibongile siddharth sidney siegfried sieglinde siegmund siew sigmund
signe sigrid sigridur sigrun sigurd sigurdur siham silke silvana silvestro silvia silvio silviu simcha
simin simona simone sinan sindre siobhan siphiwe sipho siranush siriporn sirje sirkka sita sitaram siti
siyuan sizwe sjoerd skaidrite skender slamet slavica slavko slawomir slobodan smilja smita sneha snezana
socorro soekarno sofia sofie sofya soha sohail sohair sohee soheila sohyun sokratis solange soledad solene
solveig somayeh somboon somchai somin somjai somkiat sommai sompong somporn somsak somsri songul sonia
sonja soohyun soojin sookja soomin soonja sooyoung sophia sophie sopio soraya soren sorin sorina soroush
sota sotiria sotirios spasoje spyridon spyros srdjan sridhar srinivas stacey staffan stamatis stana
stanislav stanislava stanislaw stanislawa stanley stasys stavros stavroula stefan stefania stefanie
stefano stefanos steffen steinar steinunn stelios stella stepan stephane stephanie stephen steve steven
stewart stig stijn stipe stjepan stojan stuart sture styliani stylianni stylianos suad suat subagyo
subhash subin subira subramanian suchada sudha sudhir sudirman sugeng sugiarto suha suhail suharto suheyla
sujata sujin sukanya sukarno sukhwinder sukran sukru sulaiman sulastri suleiman suleyman sultana sumaiya
suman sumarni sumeyye sumiati sumiko sumin sumire sumitra sundar sune sunee sunghee sungho sunghoon
sunghyun sungjin sungmin sungwoo sunhee sunil sunita sunja sunmi sunyoung supaporn supriyadi surachai
suraj suraya suren surendra suresh surya suryani susan susana susanna susannah susanne susanti sushil
sushila sushma susilo susumu sutrisno suwanna suwarni suwit suyanto suzana suzanne suzette suzuko svante
svein sveinn sven svend svenja svetlana svitlana swapna swati sybil sylvain sylvia sylvie sylwia synnove
szabolcs szilvia szymon tadashi tadesse tadeusz taehyun taeyang tafadzwa tahani taher tahereh tahir tahira
tahsin taichi taina taisiya taiwo takahiro takako takao takashi takayuki takeo takeru takeshi takuma
takumi takuya talal talgat tamar tamara tamas tamaz tamer tamiko tamsin taner tania tanja tanveer tanvir
tanya tapani taras tarek tarik tariq tarja tarmo taro tarou tarun tasneem tatiana tatjana tatsuo tatsuya
tatyana taufik tauno tayfun tebogo teemu tekin tellervo telma tendai tengiz teodor teodora teodoro teppo
terence teresa teresinha tereza terezia terhi terry teruko teruo tetiana tetsuo tetsuya teun teuta thabo
thach thai thanakorn thanasis thandeka thandi thandiwe thang thao thawatchai themba theodora theodore
theodoros theofilos theresa therese theresia thiago thibault thierry thijs thinh thoa thomas thongchai
thor thora thordur thorsteinn thorsten thorvald thuan thulani thuong thuraya thuy tiago tibor tiffany
tigran tihomir tiit tiiu tilman timea timo timofey timothy timur tina tinashe tinatin tineke tingting
tiziana tiziano tjeerd toan toby todd toini toivo tokiko tomas tomasz tomislav tommaso tommy tomo tomohiro
tomoko tomomi tomoyuki tony toomas torben torbjorn tore torgeir torhild toril torill torkel torleif
torstein torsten toru toshiaki toshiko toshio toshiyuki touraj tova tove tracey tracy traian tram traudl
traute trevor trinh troels trond trong truc trung truong truus trygve tsehay tsiala tsubasa tsutomu
tsuyoshi tuan tuba tudor tugba tulay tullio tuncay tuncer tunde tuomas turgut turhan turid turkan turki
tuti tuula tuyen tuyet tzipora ubaldo uche uchenna udom ufuk uldis ulku ulla ulle ulrich ulrike ulugbek
umberto umeko umesh umit umut unni unnur unto urho uriel urmas urmila ursula urszula usha uthai uwe uyen
vaclav vadim vahan vahit vaino vaios vakhtang valbona valborg valdas valdemar valdis valentin valentina
valentine valentino valeria valerie valerio valery vandana vanderlei vanessa varda vardan varsha vasant
vasanthi vasile vasileios vasilica vasiliki vasilios vasiliy vasily vassilis vasyl veikko veit vello
vendula veniamin venkatesh verity verner vernon veronica veronika veronique veselin vesna veysel vibeke
vibha vicente vichai vicky victoriano vidar vidya viet vigdis vija vijay vijaya vikas vikram viktor
viktoria vilho villem villy vilma vilmos vimala vinay vincent vincenza vincenzo vineet vinh vinicius
vinita vinko vinod violette viorel viorica vipin virginie virginija virpi virtudes vishal vishnu vitale
vitaly vito vitor vittoria vittorio vivek vivian vivien vivienne vjosa vlad vladan vladimir vladislav
vladlen vlado vlasta vlastimil vojislav vojtech volkan volker volodymyr vsevolod vuong vyacheslav vytautas
waclaw wael wafaa wafula wagner waheed wahyu wahyuni wajdi wakako walburga waldemar walid walter waltraud
wambui wanchai wanda wangari wanida wanjiku wanjiru wanying waqar warda warren waseem wataru wati wayne
weidong weihua weimin weiming weiping wenbin wendy wenjie wenjing wenjuan wenting wenzel werner weronika
wichai widodo wiebe wieslaw wieslawa wietse wiktor wiktoria wilai wilfred wilfried wilhelm wilhelmina
willem willemijn willi william willie winfried winifred wioletta wiryawan witold wladyslaw wladyslawa
wlodzimierz wojciech wolfgang woojin woosung wouter wubbo wulan xaver xenia xhevdet xianglan xiaodong
xiaofeng xiaohong xiaohui xiaojun xiaolan xiaoli xiaoling xiaomei xiaomin xiaoming xiaoping xiaoyan
xiaoying ximena xinyi xinyu xiuhua xiulan xiumei xiuqin xiurong xiuying xiuzhen xuan xueying yaakov yael
yafa yaghoub yahia yahya yair yakov yakup yalan yalcin yamini yana yanhong yann yannick yannis yanti yanto
yaping yaroslav yasar yasemin yasin yasmeen yasmin yasmine yasser yassin yassine yasuhiro yasuko yasuo
yasushi yasuyuki yati yating yavuz yeeun yegor yehuda yehudit yeji yejin yelena yeliz yeonhee yeonju yerin
yerlan yetunde yevgeny yewande yilmaz yingying yisrael yitzhak yngve yoav yochanan yogesh yohei yoichi
yoko yolanda yonatan yongho yongjun yosef yoshiaki yoshie yoshihiro yoshiko yoshimi yoshio yossi yosuke
youngae younghee youngho younghwan youngja youngjin youngmi youngmin youngsik youngsoo youngsook yousef
youssef yrjo yudi yuhan yuhua yuichi yuji yujin yuka yukari yuki yukie yukiko yukio yulan yulia yuliana
yulianti yuliya yumei yumi yumiko yuna yunhee yunseo yunus yupa yuqin yuri yuriko yuriy yurong yury yusof
yusra yusuf yusuke yuta yutaka yuxuan yuya yuying yuzhen yuzuki yves yveta yvette yvonne zacharias zachary
zafer zahid zahida zahra zainab zainabu zainal zakaria zakhar zaki zaleha zamfira zana zandile zanele zara
zarina zaven zawadi zaynab zaza zbigniew zbynek zdenek zdenka zdravko zdzislaw zeenat zeev zehava zehra
zeina zeinab zekeriya zekiye zelia zeljka zeljko zenon zerrin zeynep zhanna zhenhua zhihua zhimin zhiqiang
zhiyong ziad zigrida zihan zinaida zineb zinovy zita zixuan ziyi zlata zlatko zodwa zofia zohreh zoltan
zoran zorica zouhair zoya zsofia zsolt zsuzsa zsuzsanna zubair zubeyde zuhal zulfiqar zulfiya zulfu
zulkifli zulmira zurab zuzana zuzanna zvonimir zvonko zygmunt αθανάσιος αναστασία ανδρέας αντώνης
βασίλειος βασιλική γεώργιος γιάννης γιώργος δέσποινα δήμητρα δημήτρης δημήτριος ειρήνη ελένη ελευθέριος
ευάγγελος ευαγγελία ζωή θεόδωρος ιωάννα ιωάννης κατερίνα κωνσταντίνα κωνσταντίνος κώστας μαρία μιχαήλ
νίκος νικόλαος ξένια πέτρος παναγιώτα παναγιώτης παρασκευή σοφία σπύρος στυλιανός σωτήριος φωτεινή χρήστος
александр александра алексей алина алла анастасия анатолий андрей андрій анжела анна антон антонина
аркадий артём борис вадим валентин валентина валерий варвара василий василь вера вероника виктор виктория
виталий владимир владислав володимир вячеслав галина ганна геннадий георги георгий григорий дарья денис
димитър дмитрий драган евгений евгения егор екатерина елена елизавета ефим зинаида зоя иван иванка игорь
илья инна иосиф ирина йордан кирилл клавдия константин ксения лариса леонид лидия любовь людмила маргарита
марина мария матвей микола милан милица михаил надежда надія наталия наталья наталія никола николай нина
оксана олег олександр олена олеся ольга павел петр петро петър полина пётр раиса римма роман руслан
светлана семён сергей сергій софья станислав степан стефан стоян таисия тамара татьяна тетяна тимофей
тимур федор фёдор эдуард элеонора эльвира эмма юлия юрий юрій яков ян яна ярослав іван ірина јелена
"""
"""Given names, small letters; of Latin script without marks."""

FAMILY = """
abe adebayo adeyemi aguilar ahmadi ahmed ahn almeida alvarez alves andersen andersson aoki armstrong
arslan asante aslan aydin babic bakker balogh banerjee barbosa begum bianchi bibi biton blanc boateng
bondarenko bonnet bose boyer boyko braun bui byrne cai campbell cardoso caruso carvalho castillo castro
celik cerny cetin chatterjee chaudhary chen chevalier choi christensen claes clarke cohen colombo conti
correia coulibaly dang davies dekker delgado deluca demir desai devries diallo diaz dijkstra diop dlamini
dogan dominguez dong doyle dubois dumitru duong dupont durand dvorak dvorakova edwards endo eriksson
esposito evans eze farkas fernandez ferrari ferreira ferri fischer fletcher fontaine fontana fournier
friedman fujii fujita fukuda gallagher gallo garcia garnier georgiou gheorghe ghosh giordano girard gomes
gomez gonzales gonzalez goto grabowski greco gruber guerin guo gupta gutierrez haddad hamalainen hansen
harrison hartmann hasegawa hashemi hashimoto hayashi heikkinen hendriks hernandez herrera herrmann
hoffmann hofmann horak horvat horvath hosseini huang hughes hussain huynh hwang iglesias ikeda ilic inoue
ionescu ishii ishikawa ito ivanov ivanova iyer jackson jacobs jang jansen jensen jeong jiang jimenez
johansen johansson johnson jones joshi jovanovic juhasz juric kamau kaminski kang karimi karlsson kato
kaya keita kelly khan khoury khumalo kilic kimura klein kobayashi koch koehler kondo korhonen koskinen
kovac kovacic kovacs kovalenko kowalski kozlov krause kravchenko krawczyk kristiansen krueger kruger
kucera kuznetsov kuznetsova kwon laine lambert larsen larsson lebedev lefebvre lehmann leroy levy
lewandowski liang liu lombardi lopes lopez luo macdonald mackenzie maeda maes makela makinen mancini
mansour maric marino markovic marques martinez matsumoto mazur mcdonald medina mehta meijer mendoza menon
mensah mercier mertens meyer michalski mishra miura mizrahi mohammadi mokoena molina molnar moradi morales
moreau moreira moretti mori morozov moser mueller mukherjee mulder muller munteanu murakami murphy mwangi
nagy nair nakajima nakamura nassar navarro ndiaye ndlovu nemec nemeth neumann nguyen nielsen nieminen
nikolaidis nikolic nilsen nilsson nishimura nkosi novak novakova novikov novotny nowak nowakowski nunes
obrien oconnor ogawa okada okafor okonkwo oliveira olsen olsson oneill ortiz osei ota otieno owusu ozdemir
ozkan ozturk pandey papadopoulos papadopoulou papp patel pawlowski pedersen peeters pereira peretz perez
persson petrov petrova petrovic pham phan pichler piotrowski polat popa popescu popov popova popovic
pospisil poulsen prochazka radu ramirez ramos rasmussen reddy reyes rezaei ribeiro ricci richter rivera
rizzo roberts robinson rocha rodrigues rodriguez romano romero rossi rousseau roux ruiz russo rusu ryan
sahin saito sakamoto sanchez sasaki sato schaefer schafer schmid schmidt schmitt schmitz schneider
schroeder schulz schulze schwarz sharma shevchenko shimizu shin sidorov sidorova silva simsek singh
smirnov smirnova smit smith soares sokolov sorensen souza steiner stoica suarez sullivan suzuki svensson
svoboda szabo takacs takahashi tanaka teixeira thomas thompson tkachenko torres toth tran traore varga
vargas vasquez verma vermeulen vieira virtanen visser volkov wagner walker walsh wang watanabe weber
werner whitfield williams wojcik wolf wozniak wright xiao xie yadav yamada yamaguchi yamamoto yamashita
yamazaki yildirim yildiz yilmaz yoon yoshida yuan zeng zhang zhao zheng zhou zhu zielinski zimmermann
"""
"""Family names in the same way."""

FAMILY_ENDINGS = """
owski owska ewski ewska inski inska ynski ynska alski alska elski elska czyk wicz ovic evic ovich evich
ovsky evsky ovskaya enko chuk poulos poulou idis akis oglu escu sson dottir qvist gren mann berger meier
meyer maier mayer bauer huber hofer shvili adze idze nandez riguez tierrez quez mirez varez guez osyan
anyan etyan ssian stroem gaard anova enova arova ikova akova ckova ivanov петров енко чук швили идзе ский
ская πουλος πουλου ίδης άκης
"""
"""How family names end and words do not, small letters without marks."""
