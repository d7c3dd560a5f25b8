"""Words by which people say in many languages what is said of a patient, small letters.

Where a label has an underscore, its words stand together, or apart by a blank, a hyphen or an underscore.
"""

PATIENT = """
pat_name pat. pat: pat-n pat_ pt. pt: pt_name
patient pasient pacient pazient pacjent potilas potilaan hasta beteg bolnav
pesakit ασθεν пациент пацієнт хвор 患者 病人 病患 환자 المريض مريض המטופל החולה
מטופל रोगी मरीज रुग्ण রোগী রোগীর நோயாளி రోగి રોગી દર્દી ਮਰੀਜ਼ രോഗി രോഗിയുടെ ರೋಗಿ රෝගියා مریض
بیمار ผู้ป่วย
пациент პაციენტ հիվանդ pacijent pacjentk pacients pacientas patsien pasyente mgonjwa өвчтөн
науқас bemor xəstə bệnh_nhân subject_name participant_name
"""
"""Stems of the word, which stands before a name, or before another word that says what is to come."""

NAME = """
mr. mrs herr herrn frau mme mlle señor señora signor signora emri vardas 名字
dear_mr dear_mrs dear_ms dear_miss sehr_geehrte_frau sehr_geehrter_herr chère_madame
cher_monsieur chère_mme
cher_m. estimado_sr estimado_señor estimada_sra estimada_señora gentile_sig gentile_signora
egregio_sig
geachte_mevrouw geachte_heer szanowna_pani szanowny_pan prezado_sr prezada_sra уважаем
nama_pasien nama_pesakit nama_lengkap pangalan jina_la prezime vardas_pavardė priezvisko
keresztnév
surname last_name family_name first_name given_name middle_name maiden_name
full_name forename mother's_name next_of_kin referring_physician
familienname nachname vorname geburtsname nom_de_famille nom_de_naissance
nom_du prénom prenom apellido nombre_completo nombre_y cognome nome_completo
sobrenome achternaam voornaam efternamn förnamn etternavn fornavn efternavn
sukunimi etunimi nazwisko příjmení jméno vezetéknév név: nume_si prenume
soyad adı ονοματεπώνυμο επώνυμο όνομα фамили фио ф.и.о имя_ прізвище 姓名 氏名
名前 患者氏名 患者名 환자명 환자성명 수진자명 피검자명 성함 성명 이름
نام_بیمار نام_مریض نام_و_نام_خانوادگی
الاسم اسم שם_ नाम नाव নাম பெயர் పేరు નામ ਨਾਮ ਨਾਂ പേര് ಹೆಸರು නම ชื่อ სახელი გვარი անուն ազգանուն
họ_tên họ_và_tên
"""
"""Labels of a name."""

NUMBER = """
pid: pid= pid" pat_nr pat_no patno hosp_no hospno hosp. hosp# hosp: hosp- no_rm no._rm
nomor_rekam nik:
환자_번호 환자번호 病案号 患者id شماره_پرونده کد_ملی شناختی
acc
mrn chi_n chi: nric hkid ppsn aadhaar sin_n curp nie_ ahv hetu fnr nhs ihi_
medical_record hospital_n hospital_id hospital_no nhs_n nhs_id accession
chart_n case_note case_no unit_number social_security ssn insurance_n
medicare_n health_card national_id passport_n record_n record_id fallnummer
fall-nr aufnahmenummer versichertennummer krankenversicher kvnr aktenzeichen
krankenakte dossier ipp nip_ sécurité_sociale numéro_de historia_clínica nhc
dni expediente codice_fiscale cartella prontuário cpf cartão bsn
dossiernummer personnummer personnr cpr_ cpr- fødselsnummer henkilötunnus
pesel karty historii rodné_číslo taj_ cnp dosya protokol_no kimlik
истории_болезни мед._карт медкарт карты снилс полис амкα αμκα μητρώου 病历号 病歷
住院号 住院號 门诊号 身份证 身分證 診察券 カルテ 保険証 등록번호 차트번호 주민등록 رقم_الملف رقم_الهوية السجل
الطبي מספר_תיק תעודת_זהות ת.ז पंजीकरण เลขประจำตัว hn: số_hồ_sơ patientid
pat.id pat-id pat_id patientennummer urn:oid:mrn
"""
"""Labels of a number by which a hospital or a state knows a person."""

PHONE = """
phone telephone mobile cell_ cell: tel. tel: tel_ fax telefon teléfono
telefono telefone téléphone handy móvil celular cellulare gsm puhelin τηλ
тел. тел: телефон 电话 電話 手机 携帯 전화 연락처 هاتف جوال טלפון נייד फ़ोन फोन มือถือ
โทร điện_thoại
"""
"""Labels of a telephone number."""

MAIL = """
email mail e-mail correo courriel почта 邮箱 メール 이메일 البريد אימייל
"""
"""Labels of an e-mail address."""

ADDRESS = """
straße strasse plz addr lives
address anschrift adress adresse wohnhaft wohnort domicil dirección
direccion domicilio indirizzo residente residenz endereço morada adres
zamieszk bydliště lakcím adresă adresa osoite bopæl bosted bostad διεύθυνση
адрес проживает прожива 住所 地址 住址 주소 العنوان עنوان כתובת पता ที่อยู่ địa_chỉ
lives_at resides_at residing_at street: postcode zip_code
"""
"""Labels of the place where a person lives."""

BIRTH = """
patientbirthdate birthday birth_day tanggal_lahir tgl_lahir tarikh_lahir
تاریخ_تولد تاریخ_پیدائش
জন্ম_তারিখ জন্ম பிறந்த పుట్టిన జనన ਜਨਮ જન્મ ജനന ಜನ್ಮ ಹುಟ್ಟಿದ datum_rođenja data_narodzin
дата_на_раждане
date_of_birth birth_date
birth born dob d.o.b bday geb. geb: geboren geburt naissance né_le née_le
né(e) nacimiento nacido nacida nascita nato nata nascimento nascido nascida
geboorte född fødsel født fødd syntym urodz urodzon narozen született
születési născut nașterii doğum γέννηση γεννήθηκε рожд родил р. народж 出生
生年月日 生まれ 생년월일 출생 الميلاد תאריך_לידה जन्म วันเกิด ngày_sinh sinh_ngày
"""
"""Labels of the day of birth."""

EXAM = """
acquired startdate enddate scan_start scan_time scan_end study_start series_start exam_start
acquisition_start
tanggal_periksa tanggal_pemeriksaan تاریخ_معاینه
studydate seriesdate acquisitiondate contentdate acquisitiondatetime
study_date series_date acquisition scan_date scandate scanned acq_ acq: acq=
exam examination visit admission admitted discharge died death deceased date_of datum_
untersuch aufnahme studie examen estudio esame exame onderzoek undersök
undersøg badani vyšetř vizsgál muayene tetkik çekim εξέταση исследов обслед
检查 檢查 撮影 検査 검사 촬영 الفحص בדיקה जांच ตรวจ ngày_chụp contrast_given injected
surgery op. operation onset ictus imaged performed follow-up
"""
"""Labels of a day on which something was done with or happened to a patient."""

WHOLE = """
acc exam mobile studie visit nata nato mrs herr herrn frau mme mlle senor senora signor signora emri vardas
"""
"""Labels with which other words and digests begin (accept, example, acc48119): they count as whole words."""

FILLERS = """
nimi namn navn naam nome nombre imię jméno neve val content year datetime
s is was are the a of on at le la el du de des del der dem den vom am il lo o os as to my his
her
their für et und and is: id no nr num number nummer numero numéro n name names full legal last
first
given family value values use home work mobile mr mrn oid urn system type phone email
alphabetic vr
pn sh da dt st text string str date time label td dd th span p div true pat patient patients
contact
country record official usual en in nom identifier reg kod code key का के की चे चा ची का নাম এর
का نام کا کی کے
및 nama pasien lengkap पूरा
"""
"""Words between a label and its value."""

HONORIFICS = """
mr mrs ms miss dr prof herr frau hr fr mme mlle madame monsieur m sr sra srta señor señora sig
sigra
tn ny bpk ibu sdr श्री श्रीमती জনাব திரு آقای خانم محترم جناب 様 heer señorita
sig.ra signor signora ra rin pan pani mevrouw dhr mw г-н г-жа bay bayan
"""
"""Words before a name."""

NO_NAMES = """
age sex mean median count counts data set sets id ids number position orientation level flow
table
figure characteristics outcome outcomes consent name names date birth volume volumes dice
metric
metrics run model models reader site sites not no all any both each of from in and or the left
right
lesion lesions hippocampus total time first follow-up reference score weight size address
comments
history insurance plan telephone identity removed empty column field attribute tag value is was
with
without for by to none na n/a nan private group axial coronal sagittal supine prone t1 t2 ax
mri ct
pet dicom 匿名 已删除 已刪除 删除 無し なし 없음 익명 삭제 সংখ্যা संख्या گمنام حذف
"""
"""Words with capitals that are no part of a name."""

PARTICLES = """
van von der den de la le del di da dos das do du al el bin ibn ter ten y e af av zu
"""
"""Small words within names."""

NUMBER_WORDS = (
    r"id\b|ids\b|nr|\bno\b|num|nº|n°|№|номер|号|號|번호|#|kod|code|رقم|מספר|เลข|số|record|dossier"
    r"|file|mã|αριθ|reg|chart"
)
"""An expression for what says, behind the word for a patient, that a number follows."""

NAME_WORDS = (
    r"name|nama\b|nom\b|nombre|nome|naam|namn|navn|nimi|imi|adı|имя|фио|姓名|名|이름|성명|اسم|שם|नाम|ชื่อ"
    r"|tên|नाव|নাম|பெயர்|పేరు|નામ|ਨਾਮ|പേര്|ಹೆಸರು|نام|სახელ|անուն|ime\b|jmen|meno|ονομα|neve"
)
"""The same, of a name."""
