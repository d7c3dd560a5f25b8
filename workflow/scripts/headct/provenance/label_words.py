"""Words by which people say in many languages what is said of a patient, small letters.

Where a label has an underscore, its words stand together, or apart by a blank, a hyphen or an underscore.
"""

PATIENT = """
pat_name pat. pat: pat-n pat_ pt. pt: pt_name patient pasient pacient pazient pacjent potilas potilaan
hasta beteg bolnav pesakit ασθεν пациент пацієнт хвор 患者 病人 病患 환자 المريض مريض המטופל החולה מטופל
रोगी मरीज रुग्ण রোগী রোগীর நோயாளி రోగి રોગી દર્દી ਮਰੀਜ਼ രോഗി രോഗിയുടെ ರೋಗಿ රෝගියා مریض بیمار ผู้ป่วย
პაციენტ հիվանդ pacijent pacjentk pacients pacientas patsien pasyente mgonjwa өвчтөн науқас bemor xəstə
bệnh_nhân subject_name participant_name المريضة مريضة مریضہ patient- pat= pt= pt# patient# pasien
"""
"""Stems of the word, which stands before a name, or before another word that says what is to come."""

NAME = """
mr. mrs herr herrn frau mme mlle señor señora signor signora emri vardas 名字 dear_mr dear_mrs dear_ms
dear_miss sehr_geehrte_frau sehr_geehrter_herr chère_madame cher_monsieur chère_mme cher_m. estimado_sr
estimado_señor estimada_sra estimada_señora gentile_sig gentile_signora egregio_sig geachte_mevrouw
geachte_heer szanowna_pani szanowny_pan prezado_sr prezada_sra уважаем nama_pasien nama_pesakit
nama_lengkap pangalan jina_la prezime vardas_pavardė priezvisko keresztnév surname last_name family_name
first_name given_name middle_name maiden_name full_name forename mother's_name next_of_kin
referring_physician familienname nachname vorname geburtsname nom_de_famille nom_de_naissance nom_du
prénom prenom apellido nombre_completo nombre_y cognome nome_completo sobrenome achternaam voornaam
efternamn förnamn etternavn fornavn efternavn sukunimi etunimi nazwisko příjmení jméno vezetéknév név:
nume_si prenume soyad adı ονοματεπώνυμο επώνυμο όνομα фамили фио ф.и.о имя_ прізвище 姓名 氏名 名前
患者氏名 患者名 환자명 환자성명 수진자명 피검자명 성함 성명 이름 نام_بیمار نام_مریض نام_و_نام_خانوادگی
الاسم اسم שם_ नाम नाव নাম பெயர் పేరు નામ ਨਾਮ ਨਾਂ പേര് ಹೆಸರು නම ชื่อ სახელი გვარი անուն ազգանուն họ_tên
họ_và_tên sayın dear_mr. emergency_contact angehörige ehefrau ehemann spouse: 수진자 受診者 お名前 宛名
病人姓名 שם_פרטי שם_משפחה first_and_last_name imię_i_nazwisko ime_i_prezime jméno_a_příjmení numele_pac
nimi: namn: navn: naam: نام_خانوادگی family_and_given_name voornamen roepnaam nombres apellidos surnames
nama_ibu nama_ayah nama_penuh ad_soyad kişi_adı όνομα_ασθενούς фамилия отчество прiзвище по_батькові
презиме име_ მამის priimek lastname firstname ptname pt_nm patnm patientnm nume: eesnimi perekonnanimi
vārds uzvārds nafn il_sig. del_sig. al_sig. la_sig.ra della_sig.ra nom_usuel apellidos_y_nombre
cognome_e_nome imię: піб име: نام: שם: フリガナ pt_last pt_first pat_last pat_first patient_last
patient_first ?given= &given=
"""
"""Labels of a name."""

TITLE = """
mr_ ms_ ms. miss_ monsieur madame_ sr. sra. srta. dhr. mevr. sig. sig.ra pan_ pani_ bay_ bayan_ г-н г-жа
hr.
mevr_ dhr_ mw. mej. fr. dña. dña_ doña_ госпожа господин κα_ κος_ κ._ pí_ paní_ gđa_ gospođa_ hra_ rva_
encik_ puan_
"""
"""Words before a name that are other words in small letters, or in capitals (MR, ms)."""

MARKED_NAME = """
name: name_: name= name_= nama: nama_: subject: subject= subj: subj= re: betreff: betrifft: concerne: nm=
nm: pt_ insured: husband: wife: mother: father: daughter: son: alias: aka_ versicherter: attending:
radiologist: reported_by requested_by signed_by befundet_von utente: bn: pn: daughter_ husband_ wife_
mother_ nombre: nome: nom:
"""
"""Labels of a thing's name as well, behind which a name is two words, of which none is a thing's."""

HEADS = "name nama nom nome nombre naam namn navn nimi"
"""Heads of a column of names, or of things'."""

IN_STRUCTURE = """
family" given" first" last" display" family' given' first' last' family: given: first: last: family> given>
"""
"""Keys of a part of a name, in what is said of somebody."""

NUMBER = """
pid: pid= pid" pat_nr pat_no patno hosp_no hospno hosp. hosp# hosp: hosp- no._rm nomor_rekam nik:
환자_번호 환자번호 病案号 患者id شماره_پرونده کد_ملی شناختی acc mrn chi: nric hkid ppsn aadhaar sin_n curp
nie_ ahv hetu fnr nhs ihi_ medical_record hospital_n hospital_id hospital_no nhs_n nhs_id accession
chart_n case_note case_no unit_number social_security ssn insurance_n medicare_n health_card national_id
passport_n record_n record_id fallnummer fall-nr aufnahmenummer versichertennummer krankenversicher kvnr
aktenzeichen krankenakte dossier ipp nip_ sécurité_sociale numéro_de historia_clínica nhc dni expediente
codice_fiscale cartella prontuário cpf cartão bsn dossiernummer personnummer personnr cpr_ cpr-
fødselsnummer henkilötunnus pesel karty historii rodné_číslo taj_ cnp dosya protokol_no kimlik
истории_болезни мед._карт медкарт карты снилс полис амкα αμκα μητρώου 病历号 病歷 住院号 住院號 门诊号
身份证 身分證 診察券 カルテ 保険証 등록번호 차트번호 주민등록 رقم_الملف رقم_الهوية السجل الطبي מספר_תיק
תעודת_זהות ת.ז पंजीकरण เลขประจำตัว hn: số_hồ_sơ patientid pat.id pat-id pat_id patientennummer urn:oid:mrn
pid encounter_n encounter_id encounterid fall_nr fallnr fall_id fall-id aufnahmenr aufnahme_nr aufnahme-nr
auftragsnummer auftragsnr auftrags-nr kv_nr kv-nr versichertennr versicherungsnummer versicherungsnr
sozialversicherungsn svnr sv_nr rentenversicherungsn röntgennummer röntgen-nr personalausweis
ausweisnummer reisepass patid patnr pat-nr patiëntn patientn de_séjour numéro_de_séjour nº_de_historia
tarjeta_sanitaria número_de_historia número_de_expediente cédula cedula nosologico tessera_sanitaria
cod_fiscale cod._fiscale codice_sanitario nº_do_utente número_de_utente n.º_utente n.º_de_utente
processo_clínico nº_processo rijksregister insz burgerservicen zorgnummer polisnummer fødselsnr
fodselsnummer fodselsnr kennitala isikukood asmens_kodas personas_kods historii_choroby księgi_głównej
r.č. číslo_pojišt pojištěnc taj: taj_szám egn: egn_ oib: oib_ emšo emso_ številka_zzzs matični_broj
номер_карты и/б_ история_болезни инн егн: егн_ лнч паспорт амбулаторн номер_пациента рнокпп т.c. t.c._no
t.c._kimlik tckn tc_no 患者编号 患者編號 病人编号 病人编號 患者号 病人号 检查号 檢查號 影像号 放射号
登记号 就诊号 就診號 就诊卡 医保号 医保卡 急诊号 健康卡号 身份證 身分证 病案編號 病历编号 病歷號碼
患者番号 診療番号 受付番号 オーダ番号 オーダー番号 マイナンバー 被保険者 患者コード 検査番号 個人番号
병록번호 접수번호 주민번호 검사번호 수진번호 외국인등록 건강보험 여권번호 الرقم_الطبي الرقم_القومي
رقم_السجل رقم_الإقامة رقم_بطاقة رقم_المريض هویت کدملی شماره_ملی شماره_بیمار מספר_זהות מס_תיק מס'_תיק
מספר_אישי דרכון आधार aadhar रजिस्ट्रेशन मरीज_आईडी เลขบัตร เลขที่โรงพยาบาล เลขประชาชน mã_bệnh_nhân mã_bn
cccd cmnd mã_y_tế bhyt số_bệnh_án rekam_medis no_mr: bpjs kartu_penduduk nik_ no_ktp mykad kad_pengenalan
pps_n h&c_n ohip ramq medicaid mbi: mbi_ insurance_id insurance_no driver's_licen driving_licen
drivers_licen passport ghana_card nhi_n nhi: empi uhid ihi: abha_ abha: ipd_no opd_no hicn
national_insurance_n ni_number patient_code patientcode participant_mrn mrno mr_no mr_nr mr# m.r.n m.r._no
ur_no urno hospital_ref pt_id pt_no pt_nr chi_no chi_nr chi_num
"""
"""Labels of a number by which a hospital or a state knows a person."""

LOOSE_NUMBER = """
hn urn_ hrn crn csn fin: fin_no nda nir cip nuss cns rut rut: rfc: cf: c.f. rg_ rg: ic: ic_no ic_n nin
nin: nhi phn sin: 病号 ам: αμ: h/n mr: kp_nr jmbg medicare encounter study_id encounter: visit_no visit_nr
visit_num visit_id admission_no admission_nr admission_num admission_id episode_no episode_nr episode_num
episode_id order_no order_nr order_num order_id requisition account_no account_nr account_num acct_ acct#
acct. unit_no unit_nr unit_num specimen_no specimen_nr specimen_num lab_no lab_nr lab_num film_no film_nr
film_num x-ray_no x-ray_nr x-ray_num radiology_no radiology_nr radiology_num policy_no policy_nr
policy_num policy_id id_number id_card identity_n identity_card identity_doc member_id subscriber_id
beneficiary donor_id donor_no donor_nr donor_num ward_no ward_nr ward_num rč: cr_no ip_no op_no ipd:
rsa_id_n fallzahl_ acsn ur_no ur_num kh_nr med._rec chart_# chart# case_num file_no file_num reg_no
reg._no registration_no registration_num ref_no ref._no our_ref ris_no ris-id ris_id pacs_id exam_no
exam_id barcode wristband fallzahl krankenkassenn numéro_d'examen nº_sip sip: afiliación tessera matricola
processo sns: journalnummer journalnr reservenummer rodné_č. azonosító törzsszám nr._fo φακέλου dosya_num
tc: mr" hosp_id hospnr hosp_nr case_number no_rm:
"""
"""Labels, and words and abbreviations with other meanings as well, of a number of six digits and more."""

NATIONAL = """
cpr cprnr cprnr. cpr_nummer pnr kt kt. sotu samordningsnummer d-nummer chi nhs egn егн taj oib emso avs navs
navs13 ahvn13 insee sécu ss# nss niss nif nie pps amka rrn cnic nid nik abha ihi phn philhealth philsys sss_no
sss# cuil cuit c.i. dpi rsa_id sa_id iqama emirates_id huduma teudat_zehut matricule steuer-id
steueridentifikationsnummer idnr. registre_national numéro_national nº_nacional cedula_de_identidad
cédula_de_identidad cartão_de_cidadão numéro_d'identification
"""
"""Whole words for a number by which a state knows a person; many have other meanings as well."""

PHONE = """
phone telephone mobile cell_ cell: tel. tel: tel_ fax telefon teléfono telefono telefone téléphone handy
móvil celular cellulare gsm puhelin τηλ тел. тел: телефон 电话 電話 手机 携帯 전화 연락처 هاتف جوال טלפון
נייד फ़ोन फोन มือถือ โทร điện_thoại ph: ph._ ph_no ph_num phno contact_no contact_num contact:
emergency_contact reached_at reach_on whatsapp sms nok: nok_ mobil mobil: mobil_ mobiltelefon mobilnummer
mobilnr rufnummer festnetz telefonnr portable_: tél: tél. tél_ tel" tfno tfno. tlfno tlf tlf. tlfn
telemóvel telemovel recapito_t recapito: telefoon mobiel puh. puh: gsm: komórk telefonní telefón mobilszám
cep_tel cep_ cep: ev_tel моб. моб: моб_ мобильн κινητ 手机号 聯絡電話 联系方式 휴대폰 휴대전화 핸드폰
전화번호 تلفن موبایل همراه فون نمبر_موبائل פלאפון נייד: טל: טל' मोबाइल मोबाईल दूरभाष sđt sdt: no._hp no_hp
no._telp no_telp no._tel telp handphone bimbit landline telefonas telefons telefonnummer tālrunis sími
tālr. phonenumber home_ph home: cell. cell= tel= phone= mob: mob. mob_ tel_no telp. telf. telf:
contact_details tel contact telecom ফোন 連絡先
"""
"""Labels of a telephone number."""

MAIL = """
email mail e-mail correo courriel почта 邮箱 メール 이메일 البريد אימייל e_mail posta_elettronica e-posta
eposta posta_el эл._почта эл.почта электронная_почта ηλ._ταχ ایمیل बिजली_डाक ईमेल อีเมล thư_điện_tử surel
correio e-mail: telecom gmail: sent_to to=<
"""
"""Labels of an e-mail address."""

ADDRESS = """
straße strasse plz addr lives address anschrift adress adresse wohnhaft wohnort domicil dirección
direccion domicilio indirizzo residente residenz endereço morada adres zamieszk bydliště lakcím adresă
adresa osoite bopæl bosted bostad διεύθυνση адрес проживает прожива 住所 地址 住址 주소 العنوان עنوان
כתובת पता ที่อยู่ địa_chỉ lives_at resides_at residing_at street: postcode zip_code pt_home patient_home
pat_home home_addr resident_of resident_at residence residência domiciled wohnt demeurant habite vive_en
vive_na abita domiciliat woonadres woonplaats woonachtig zam. zam: zameld İkamet ikamet ikametgah oturduğu
ev_adresi прожив. проживания место_жительства адреса мешкає 〒 거주지 거주 آدرس نشانی پته alamat
tempat_tinggal kediaman पत्ता ঠিকানা முகவரி చిరునామా ที่พัก nơi_ở thường_trú adresi hjemmeadresse
privatadresse straat: rue_: dirección: stanuje prebivališče lakóhely telephely bydlisko trvalý_pobyt
bosættelse heimili elukoht gyvena dzīvo postadress postal_code postleitzahl codigo_postal código_postal
code_postal cep: zip: zip_ 邮编 郵便番号 street home:
"""
"""Labels of the place where a person lives."""

BIRTH = """
patientbirthdate birthday birth_day tanggal_lahir tgl_lahir tarikh_lahir تاریخ_تولد تاریخ_پیدائش
জন্ম_তারিখ জন্ম பிறந்த పుట్టిన జనన ਜਨਮ જન્મ ജനന ಜನ್ಮ ಹುಟ್ಟಿದ datum_rođenja data_narodzin дата_на_раждане
date_of_birth birth_date birth born dob d.o.b bday geb. geb: geboren geburt naissance né_le née_le né(e)
nacimiento nacido nacida nascita nato nata nascimento nascido nascida geboorte född fødsel født fødd
syntym urodz urodzon narozen született születési născut nașterii doğum γέννηση γεννήθηκε рожд родил р.
народж 出生 生年月日 生まれ 생년월일 출생 الميلاد תאריך_לידה जन्म วันเกิด ngày_sinh sinh_ngày bdate
birthdt birth_dt geb_ geb-dat gebdat geb._dat geburtsdat geburtstag ddn d.d.n d.n. naiss date_naiss
date_de_naiss f._nac fec._nac fecha_nac fech_nac fnac nasc. nasc: data_nasc dt_nasc dt._nasc data_di_nasc
födelse fødsels data_ur data_urodz ur. születés nar. dat._nar narodenia datum_nar data_naș rođen roden
d.t.: doğum_t д.р. др: г.р. др_ дата_рожд дата_народж ημ._γέν ημ/νία_γέν 出生年月 生日 生于 誕生日 생일
출생일 الولادة مواليد ميلاد تولد متولد ת._לידה ת.לידה ת.ל נולד जन्मतिथि जन्म_तिथि तारीख_जन्म เกิด sinh_năm
năm_sinh lahir ttl: ttl_ tgl._lahir dzimšanas gimimo sünni fæddur kapanganakan dateofbirth dobirth
"""
"""Labels of the day of birth."""

EXAM = """
acquired startdate enddate scan_start scan_time scan_end study_start series_start exam_start
acquisition_start tanggal_periksa tanggal_pemeriksaan تاریخ_معاینه studydate seriesdate acquisitiondate
contentdate acquisitiondatetime study_date series_date acquisition scan_date scandate scanned acq_ acq:
acq= exam examination visit admission admitted discharge died death deceased date_of datum_ untersuch
aufnahme studie examen estudio esame exame onderzoek undersök undersøg badani vyšetř vizsgál muayene
tetkik çekim εξέταση исследов обслед 检查 檢查 撮影 検査 검사 촬영 الفحص בדיקה जांच ตรวจ ngày_chụp
contrast_given injected surgery op. operation onset ictus imaged performed follow-up acq scan: scan_dt
study_dt exam_dt acqdate acq_dt acq_date acq_time us-datum usdatum us_datum ct_on ct_from ct_dated ct_v.
ct_vom ct_du tc_del tdm_du irm_du scanner_du exam_on scan_on scan_of fecha: fecha_de fecha_del fecha_est
fecha_ex d.d. onderzoeksdatum röntgen tutkimus datum: data_do data_da data_bad dt_exame data_esame
del_esame adm. adm: d/c dos: doa: doa_ dod: dod_ service_date dateofservice opname ontslag entlass indlæg
udskriv innlagt wypis przyjęci hospitali ingreso alta: alta_ ricovero dimission internação entrada_em
tarihi: кт_от дата_кт дата_мрт дата_иссл дата_пост дата_вып 检查时间 检查日 扫描日期 扫描时间 入院日
出院日 手术日 手術日 撮影日 検査日 退院日 촬영일 검사일 입원일 퇴원일 تاريخ_الفحص تاريخ_الدخول
تاريخ_التصوير תאריך_בדיקה תאריך_צילום जांच_तिथि วันที่ตรวจ ngày_khám ngày_nhập tgl_periksa tgl._periksa
tarikh vizsgálat felvétel ct_date mri_date series_dt image_date imagedate contentdt performeddate
exam_date examination_date imaging_date procedure_date surgery_date event_date visit_date admission_date
discharge_date death_date randomisation_date randomization_date enrolment_date enrollment_date consent_date
baseline_date follow-up_date followup_date injury_date stroke_date trauma_date symptom_date diagnosis_date
arrival_date referral_date transfer_date treatment_date therapy_date op_date or_date mr_date pet_date
xray_date x-ray_date us_date angio_date cta_date collection_date order_date encounter_date appointment
episode_date presented_on seen_on attended_on fecha_examen fechaestudio fecha_estudio datum_ct ct-datum
ct_datum undersokningsdatum undersökningsdatum undersøgelsesdato
"""
"""Labels of a day on which something was done with or happened to a patient."""

WHOLE = """
acc exam mobile studie visit nata nato mrs herr herrn frau mme mlle senor senora signor signora emri
vardas pid acq whatsapp sms mobil tlf hn hrn crn csn nda nir cip nuss cns rut nin nhi phn jmbg encounter
ddn uhid street tel contact matricola barcode processo adi sayin c.f. hoten simi
"""
"""Labels with which other words and digests begin (accept, example, acc48119): they count as whole words."""

FILLERS = """
nimi namn navn naam nome nombre imię jméno neve val content year datetime s is was are the a of on at le
la el du de des del der dem den vom am il lo o os as to my his her their für et und and is: id no nr num
number nummer numero numéro n name names full legal last first given family value values use home work
mobile mr mrn oid urn system type phone email alphabetic vr pn sh da dt st text string str date time label
td dd th span p div true pat patient patients contact country record official usual en in nom identifier
reg kod code key का के की चे चा ची নাম এর نام کا کی کے 및 nama pasien lengkap पूरा 番号 编号 編號 号码
號碼 号 番 番號 번호 номер числo رقم מספר संख्या 日 日期 时间 時間 일 일자 일시 날짜 tarihi tarih service
exam examination exploración exploracion estudio examen esame exame examinare idő ideje dátum dátuma datum
dato data fecha تاريخ תאריך तिथि तारीख ngày วันที่ zi tanggal tgl seen with reached reach card karte szám
számа nº n° no° ref reference wife husband son daughter mother father fixed privat private privé dienst
contatto contacto móvil fijo choroby paz paciente telefonu telefonico 码 號 卡 のお は clinica clinico
medica medico 字號 字号 ประชาชน ประจำตัว
ids
"""
"""Words between a label and its value."""

HONORIFICS = """
mr mrs ms miss dr prof herr frau hr fr mme mlle madame monsieur m sr sra srta señor señora sig sigra tn ny
bpk ibu sdr श्री श्रीमती জনাব திரு آقای خانم محترم جناب 様 heer señorita sig.ra signor signora ra rin pan
pani mevrouw dhr mw г-н г-жа bay bayan mevr mej mejuffrouw hrn frl fru fröken frk frøken rva hra pí paní
pánové slečna dl doamna domnul gđa gđo gosp gospođa gospodin gospa госпожа господин г жа н гр гражданка
пані κα κος κ κυρία κύριος dña doña don dª sen senhor senhora dona signorina dott dottssa mag mgr ing
mister madam encik puan cik bapak
"""
"""Words before a name."""

NO_NAMES = """
age sex mean median count counts data set sets id ids number position orientation level flow table figure
characteristics outcome outcomes consent name names date birth volume volumes dice metric metrics run
model models reader site sites not no all any both each of from in and or the left right lesion lesions
hippocampus total time first follow-up reference score weight size address comments history insurance plan
telephone identity removed empty column field attribute tag value is was with without for by to none na
n/a nan private group axial coronal sagittal supine prone t1 t2 ax mri ct pet dicom 匿名 已删除 已刪除
删除 無し なし 없음 익명 삭제 সংখ্যা संख्या گمنام حذف type module sequence name's number's unknown
withheld redacted confidential pseudonym anonymized anonymised deidentified de-identified
de-identification deleted blank missing null undefined 未知 匿名化 保密 隐去 不详 空 無 无 不明 非公開
空欄 伏せ 削除済み 비공개 미상 محذوف مجهول לא הוסר אנונימי हटाया ลบ ẩn danh label labels
已 脱敏 去标识 去识别 略 屏蔽 移除 清除 隐藏 未提供 不公开 去識別 隱藏 非表示 非開示 仮名 マスク 秘匿
該当なし 未記入 省略 墨消し 비식별 가명 제거 해당없음 미기재 알수없음
anonym anonyme anonyms anonymisé anonymisée anonymisés anonimo anonima anónimo anónima anônimo anônima
anonimizado anonimizada anonimizzato anonimizzata geanonimiseerd anoniem anonymiseret anonymiserad anonymisert
anonymisoitu anonymisiert pseudonymisiert pseudonymisé pseudonymisée pseudonymised pseudonymized
seudonimizado pseudonimizzato gepseudonimiseerd anonimowy anonimizowano zanonimizowano zanonimizowany
anonymizováno anonymní anonymizované anonimizálva anonimizált anonimizat anonimizirano anonimizovano
anonimno anonimleştirildi anonim isimsiz gizli gizlendi silindi анонимно анонимный анонимизировано аноним
обезличено обезличен скрыто скрыт удалено удалён удален неизвестно приховано видалено анонімізовано
знеособлено анонимен анонимизирано ανώνυμο ανώνυμος ανώνυμη ανωνυμοποιημένο ανωνυμοποιήθηκε διαγράφηκε
gelöscht entfernt unbekannt geschwärzt verborgen supprimé supprimée masqué masquée inconnu inconnue effacé
eliminado eliminada borrado borrada suprimido suprimida oculto oculta desconocido desconocida retirado
removido removida ocultado desconhecido desconhecida apagado rimosso rimossa cancellato oscurato sconosciuto
verwijderd onbekend gewist borttaget borttagen okänd fjernet ukendt slettet ukjent poistettu tuntematon
nimetön usunięto usunięte usunięty ukryto nieznany nieznane odstraněno smazáno neznámý neznámé skryto
törölve törölt ismeretlen eliminat șters necunoscut uklonjeno izbrisano nepoznato مخفي مموه المجهول غير נמחק
הוסתר בעילום חסוי अज्ञात गुमनाम छिपाया đã dianonimkan dihapus disamarkan disembunyikan ไม่ระบุ ปกปิด
ไม่เปิดเผย hidden masked scrubbed stripped suppressed undisclosed
"""
"""Words with capitals that are no part of a name."""

PARTICLES = """
van von der den de la le del di da dos das do du al el bin ibn ter ten y e af av zu
"""
"""Small words within names."""

NUMBER_WORDS = (
    r"id\b|ids\b|identif|nr|\bno\b|num|nº|n°|№|номер|号|號|번호|#|kod|code|رقم|מספר|เลข|số|record|dossier"
    r"|file|mã|αριθ|reg|chart"
)
"""An expression for what says, behind the word for a patient, that a number follows."""

NAME_WORDS = (
    r"name|nama\b|nom\b|nombre|nome|naam|namn|navn|nimi|imi|adı|имя|фио|姓名|名|이름|성명|اسم|שם|नाम|ชื่อ"
    r"|tên|नाव|নাম|பெயர்|పేరు|નામ|ਨਾਮ|പേര്|ಹೆಸರು|نام|სახელ|անուն|ime\b|jmen|meno|ονομα|neve"
)
"""The same, of a name."""

NOT_BEFORE_EXAMS = """
releas publi build built version licen copyright commit access\\b download updat modif expir analys freeze
sürüm yayın erschein veröffent lanzamiento rilascio wydania выпуск релиз 发布 發布 リリース 公開 배포 출시
"""
"""Stems that say, beside a word for a day, that the day is of software or of a publication."""

OF_AUTHORS = "author maintain publish editor correspond developer support licen feedback"
"""Stems that say, before an e-mail address, that it is no patient's."""

OF_SOFTWARE = """
releas changelog publish built build compil copyright version licens licenc support maintain commit
modified\\b generated_by updated? expires valid_until european_parliament council_of access\\b created_with
epub (?<![a-z\\d])jobs?(?![a-z\\d]) org\\.opencontainers org\\.label-schema python \\bgcc clang freesurfer
\\bfsl \\bants\\b dcm2niix \\bspm\\d*\\b \\bitk\\b \\bsmp\\b \\blinux\\b kernel_ driver firmware snapshot
nightly debian ubuntu accessed retrieved abgerufen download regulation directive verordnung ethic
review_board \\birb\\b registered_(?:at|on|in) conference workshop miccai deprecat end_of_life certificate
not_(?:before|after) author: last_checked 发布 發布 版本 リリース 公開 배포 릴리스 버전 発行
wydan veröffentlich erschienen sürüm
versión versione выпуск релиз сборка лиценз \\barxiv biorxiv medrxiv chemrxiv preprint \\bdoi\\b \\bpmid
\\[v\\d{1,2}\\] \\bcron \\bretry \\bretries \\bretrying next_(?:attempt|run\\b|try\\b|check\\b)
back(?:ing|s|ed)_off heartbeat
"""
"""Expressions for words before a day on which something was made, changed or read that is no patient's."""

PROGRAMS = """
cron jobs? backup nightly snakemake slurm systemd kernel sshd rsync epoch restart reboot daemon evaluation
training
"""
"""Expressions for words behind the time of a line of a log by which programs are told to write it."""

PROCESSES = r"exit(?:ed|s)?\b|kill|signal|process|worker|daemon|gpu|fork|spawn|terminat|crash|segfault|\+\+\+"
"""An expression for words beside the letters PID where it numbers a process."""

MADE = """
created creation built build generated exported export updated modified modification trained training
rendered compiled saved written packaged converted frozen create createdate modify modifydate moddate
"""
"""What files say of themselves with the day on which it was done to them."""

OF_MODELS = """
weights models? checkpoints? networks? containers? packages? environments? wheels? software code scripts? onnx
"""
"""Expressions for what is made by software only."""

STATUS = """
builds? status ok done pass(?:ed)? fail(?:ed|ure)? success(?:ful(?:ly)?)? succeeded error warning info
debug finished completed started exit(?:ed)? return(?:ed)? step epoch iter(?:ation)? job commit
deploy(?:ed)? release tests? lint pipeline running queued
"""
"""Expressions for words behind the output of the command date."""

PHANTOMS = """
catphan acr qa qc water air gammex cirs phantoms daily weekly monthly constancy calibration calib
volunteer volunteers cylinder sphere uniformity jaszczak nema iec lungman qiba acceptance service demo
sample specimen cadaver nobody pseudo body abdomen chest lung bone pelvis thorax spine solid plexiglas
pmma acrylic polystyrene teflon tissue insert quality assurance control check cm mm ml routine standard
std protocol native angio helical spiral neck stroke trauma neuro siemens ge healthcare healthineers philips
toshiba canon anthropomorphic multi purpose thorax nodule screening
"""
"""Words of names of which nobody is called, if all words are such: Phantom^QA^Catphan 600."""

RUNS = """
training train trained trainer log logs progress debug checkpoint checkpoints ckpt ckpts weights epoch
epochs step steps iter iters iteration iterations seed tfevents slurm core jobid run runs offline stdout
stderr wandb tensorboard lightning hydra mlflow snakemake nnunet monai optimizer pth pt onnx safetensors
keras pytest coverage nsys prof requirements environment vmcore benchmark
"""
"""Words by which the name of a file is one of a run."""

BESIDE_RUNS = """
model best last final latest global val valid loss acc lr fold events out job jobs backup err output
outputs profile trace resume snapshot state ema swa txt json jsonl yaml yml csv tsv png pdf bin pkl npz h
hdf gz tar zip t z internal array rep xml sif changelog
"""
"""What may stand beside them: other words of runs, endings, and the letters in a time."""
