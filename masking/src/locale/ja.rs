//! Japanese: each name as people write it, in katakana and in Latin letters.

use super::{Dictionary, Word};

const fn word(native: &'static str, katakana: &'static str, latin: &'static str) -> Word {
    Word { native, katakana, latin }
}

#[rustfmt::skip]
const FEMALE: &[Word] = &[
    word("陽菜", "ヒナ", "Hina"), word("結衣", "ユイ", "Yui"), word("葵", "アオイ", "Aoi"), word("凛", "リン", "Rin"),
    word("咲良", "サクラ", "Sakura"), word("美咲", "ミサキ", "Misaki"), word("花子", "ハナコ", "Hanako"),
    word("由美子", "ユミコ", "Yumiko"), word("恵子", "ケイコ", "Keiko"), word("洋子", "ヨウコ", "Yoko"),
    word("幸子", "サチコ", "Sachiko"), word("和子", "カズコ", "Kazuko"), word("久美子", "クミコ", "Kumiko"),
    word("裕子", "ユウコ", "Yuko"), word("真由美", "マユミ", "Mayumi"), word("明美", "アケミ", "Akemi"),
    word("直美", "ナオミ", "Naomi"), word("智子", "トモコ", "Tomoko"), word("春子", "ハルコ", "Haruko"),
    word("京子", "キョウコ", "Kyoko"), word("愛", "アイ", "Ai"), word("舞", "マイ", "Mai"), word("彩", "アヤ", "Aya"),
    word("恵", "メグミ", "Megumi"), word("千尋", "チヒロ", "Chihiro"), word("美穂", "ミホ", "Miho"),
    word("香織", "カオリ", "Kaori"), word("沙織", "サオリ", "Saori"), word("麻衣", "マイ", "Mai"),
    word("七海", "ナナミ", "Nanami"), word("遥", "ハルカ", "Haruka"), word("雅子", "マサコ", "Masako"),
    word("理恵", "リエ", "Rie"), word("里奈", "リナ", "Rina"), word("杏", "アン", "An"), word("茜", "アカネ", "Akane"),
    word("琴音", "コトネ", "Kotone"), word("紬", "ツムギ", "Tsumugi"), word("芽依", "メイ", "Mei"),
    word("莉子", "リコ", "Riko"), word("心春", "コハル", "Koharu"), word("楓", "カエデ", "Kaede"),
    word("柚希", "ユズキ", "Yuzuki"), word("真央", "マオ", "Mao"), word("奈々", "ナナ", "Nana"), word("亜美", "アミ", "Ami"),
    word("絵里", "エリ", "Eri"), word("紀子", "ノリコ", "Noriko"), word("史子", "フミコ", "Fumiko"),
    word("節子", "セツコ", "Setsuko"), word("文子", "アヤコ", "Ayako"), word("静香", "シズカ", "Shizuka"),
    word("小百合", "サユリ", "Sayuri"), word("百合子", "ユリコ", "Yuriko"), word("美代子", "ミヨコ", "Miyoko"),
    word("千代", "チヨ", "Chiyo"), word("貴子", "タカコ", "Takako"), word("順子", "ジュンコ", "Junko"),
    word("瞳", "ヒトミ", "Hitomi"), word("望美", "ノゾミ", "Nozomi"), word("早紀", "サキ", "Saki"),
    word("梓", "アズサ", "Azusa"), word("菜摘", "ナツミ", "Natsumi"), word("聡美", "サトミ", "Satomi"),
];

#[rustfmt::skip]
const MALE: &[Word] = &[
    word("蓮", "レン", "Ren"), word("陽翔", "ハルト", "Haruto"), word("湊", "ミナト", "Minato"),
    word("樹", "イツキ", "Itsuki"), word("大翔", "ヒロト", "Hiroto"), word("悠真", "ユウマ", "Yuma"),
    word("翔太", "ショウタ", "Shota"), word("健太", "ケンタ", "Kenta"), word("拓也", "タクヤ", "Takuya"),
    word("大輔", "ダイスケ", "Daisuke"), word("太郎", "タロウ", "Taro"), word("一郎", "イチロウ", "Ichiro"),
    word("次郎", "ジロウ", "Jiro"), word("健一", "ケンイチ", "Kenichi"), word("誠", "マコト", "Makoto"),
    word("浩", "ヒロシ", "Hiroshi"), word("隆", "タカシ", "Takashi"), word("茂", "シゲル", "Shigeru"),
    word("清", "キヨシ", "Kiyoshi"), word("進", "ススム", "Susumu"), word("勇", "イサム", "Isamu"),
    word("実", "ミノル", "Minoru"), word("勝", "マサル", "Masaru"), word("修", "オサム", "Osamu"),
    word("学", "マナブ", "Manabu"), word("聡", "サトシ", "Satoshi"), word("剛", "ツヨシ", "Tsuyoshi"),
    word("豊", "ユタカ", "Yutaka"), word("昇", "ノボル", "Noboru"), word("明", "アキラ", "Akira"),
    word("和也", "カズヤ", "Kazuya"), word("直樹", "ナオキ", "Naoki"), word("哲也", "テツヤ", "Tetsuya"),
    word("達也", "タツヤ", "Tatsuya"), word("秀樹", "ヒデキ", "Hideki"), word("正樹", "マサキ", "Masaki"),
    word("雅人", "マサト", "Masato"), word("康平", "コウヘイ", "Kohei"), word("亮", "リョウ", "Ryo"),
    word("翼", "ツバサ", "Tsubasa"), word("颯太", "ソウタ", "Sota"), word("悠斗", "ユウト", "Yuto"),
    word("陸", "リク", "Riku"), word("海斗", "カイト", "Kaito"), word("駿", "シュン", "Shun"),
    word("涼介", "リョウスケ", "Ryosuke"), word("慎吾", "シンゴ", "Shingo"), word("俊介", "シュンスケ", "Shunsuke"),
    word("雄大", "ユウダイ", "Yudai"), word("貴大", "タカヒロ", "Takahiro"), word("智也", "トモヤ", "Tomoya"),
    word("裕太", "ユウタ", "Yuta"), word("純一", "ジュンイチ", "Junichi"), word("博之", "ヒロユキ", "Hiroyuki"),
    word("義明", "ヨシアキ", "Yoshiaki"), word("正義", "マサヨシ", "Masayoshi"), word("武", "タケシ", "Takeshi"),
    word("徹", "トオル", "Toru"), word("英明", "ヒデアキ", "Hideaki"), word("幸雄", "ユキオ", "Yukio"),
    word("光", "ヒカル", "Hikaru"), word("新", "アラタ", "Arata"), word("朔", "サク", "Saku"),
    word("律", "リツ", "Ritsu"),
];

#[rustfmt::skip]
const FAMILY: &[Word] = &[
    word("佐藤", "サトウ", "Sato"), word("鈴木", "スズキ", "Suzuki"), word("高橋", "タカハシ", "Takahashi"),
    word("田中", "タナカ", "Tanaka"), word("伊藤", "イトウ", "Ito"), word("渡辺", "ワタナベ", "Watanabe"),
    word("山本", "ヤマモト", "Yamamoto"), word("中村", "ナカムラ", "Nakamura"), word("小林", "コバヤシ", "Kobayashi"),
    word("加藤", "カトウ", "Kato"), word("吉田", "ヨシダ", "Yoshida"), word("山田", "ヤマダ", "Yamada"),
    word("佐々木", "ササキ", "Sasaki"), word("山口", "ヤマグチ", "Yamaguchi"), word("松本", "マツモト", "Matsumoto"),
    word("井上", "イノウエ", "Inoue"), word("木村", "キムラ", "Kimura"), word("林", "ハヤシ", "Hayashi"),
    word("斎藤", "サイトウ", "Saito"), word("清水", "シミズ", "Shimizu"), word("山崎", "ヤマザキ", "Yamazaki"),
    word("森", "モリ", "Mori"), word("池田", "イケダ", "Ikeda"), word("橋本", "ハシモト", "Hashimoto"),
    word("阿部", "アベ", "Abe"), word("石川", "イシカワ", "Ishikawa"), word("山下", "ヤマシタ", "Yamashita"),
    word("中島", "ナカジマ", "Nakajima"), word("石井", "イシイ", "Ishii"), word("小川", "オガワ", "Ogawa"),
    word("前田", "マエダ", "Maeda"), word("岡田", "オカダ", "Okada"), word("長谷川", "ハセガワ", "Hasegawa"),
    word("藤田", "フジタ", "Fujita"), word("後藤", "ゴトウ", "Goto"), word("近藤", "コンドウ", "Kondo"),
    word("村上", "ムラカミ", "Murakami"), word("遠藤", "エンドウ", "Endo"), word("青木", "アオキ", "Aoki"),
    word("坂本", "サカモト", "Sakamoto"), word("福田", "フクダ", "Fukuda"), word("太田", "オオタ", "Ota"),
    word("西村", "ニシムラ", "Nishimura"), word("藤井", "フジイ", "Fujii"), word("岡本", "オカモト", "Okamoto"),
    word("金子", "カネコ", "Kaneko"), word("藤原", "フジワラ", "Fujiwara"), word("三浦", "ミウラ", "Miura"),
    word("中野", "ナカノ", "Nakano"), word("原田", "ハラダ", "Harada"), word("松田", "マツダ", "Matsuda"),
    word("竹内", "タケウチ", "Takeuchi"), word("小野", "オノ", "Ono"), word("田村", "タムラ", "Tamura"),
    word("中山", "ナカヤマ", "Nakayama"), word("和田", "ワダ", "Wada"), word("石田", "イシダ", "Ishida"),
    word("森田", "モリタ", "Morita"), word("上田", "ウエダ", "Ueda"), word("原", "ハラ", "Hara"),
    word("内田", "ウチダ", "Uchida"), word("柴田", "シバタ", "Shibata"), word("酒井", "サカイ", "Sakai"),
    word("宮崎", "ミヤザキ", "Miyazaki"), word("横山", "ヨコヤマ", "Yokoyama"), word("高木", "タカギ", "Takagi"),
    word("安藤", "アンドウ", "Ando"), word("宮本", "ミヤモト", "Miyamoto"), word("大野", "オオノ", "Ono"),
    word("小島", "コジマ", "Kojima"), word("今井", "イマイ", "Imai"), word("工藤", "クドウ", "Kudo"),
    word("谷口", "タニグチ", "Taniguchi"), word("高田", "タカダ", "Takada"), word("丸山", "マルヤマ", "Maruyama"),
    word("増田", "マスダ", "Masuda"), word("杉山", "スギヤマ", "Sugiyama"), word("村田", "ムラタ", "Murata"),
    word("大塚", "オオツカ", "Otsuka"), word("新井", "アライ", "Arai"), word("小山", "コヤマ", "Koyama"),
    word("平野", "ヒラノ", "Hirano"), word("藤本", "フジモト", "Fujimoto"), word("河野", "コウノ", "Kono"),
    word("上野", "ウエノ", "Ueno"), word("野口", "ノグチ", "Noguchi"), word("武田", "タケダ", "Takeda"),
    word("松井", "マツイ", "Matsui"), word("千葉", "チバ", "Chiba"), word("菅原", "スガワラ", "Sugawara"),
    word("岩崎", "イワサキ", "Iwasaki"), word("久保", "クボ", "Kubo"), word("木下", "キノシタ", "Kinoshita"),
    word("佐野", "サノ", "Sano"), word("野村", "ノムラ", "Nomura"), word("松尾", "マツオ", "Matsuo"),
    word("市川", "イチカワ", "Ichikawa"), word("菊地", "キクチ", "Kikuchi"), word("杉本", "スギモト", "Sugimoto"),
    word("古川", "フルカワ", "Furukawa"),
];

/// Prefecture and town.
#[rustfmt::skip]
const CITIES: &[&str] = &[
    "北海道札幌市", "北海道函館市", "青森県青森市", "岩手県盛岡市", "宮城県仙台市", "秋田県秋田市", "山形県山形市", "福島県郡山市", "茨城県水戸市", "栃木県宇都宮市",
    "群馬県高崎市", "埼玉県川越市", "埼玉県所沢市", "千葉県船橋市", "千葉県柏市", "東京都新宿区", "東京都世田谷区", "東京都杉並区", "東京都八王子市", "東京都町田市",
    "神奈川県横浜市", "神奈川県藤沢市", "新潟県長岡市", "富山県富山市", "石川県金沢市", "福井県福井市", "山梨県甲府市", "長野県松本市", "岐阜県大垣市", "静岡県浜松市",
    "愛知県名古屋市", "愛知県豊橋市", "三重県四日市市", "滋賀県大津市", "京都府宇治市", "大阪府堺市", "大阪府豊中市", "兵庫県姫路市", "兵庫県西宮市", "奈良県生駒市",
    "和歌山県和歌山市", "鳥取県米子市", "島根県松江市", "岡山県倉敷市", "広島県福山市", "山口県下関市", "徳島県徳島市", "香川県高松市", "愛媛県松山市", "高知県高知市",
    "福岡県久留米市", "佐賀県唐津市", "長崎県佐世保市", "熊本県熊本市", "大分県別府市", "宮崎県延岡市", "鹿児島県霧島市", "沖縄県那覇市",
];

/// Quarters of a town.
#[rustfmt::skip]
const STREETS: &[&str] = &[
    "本町", "中央", "栄町", "旭町", "泉町", "緑町", "若葉町", "桜町", "松原", "梅田", "青葉", "大手町", "寿町", "幸町", "弥生町", "元町", "新町",
    "東町", "西町", "南町", "北町", "緑ヶ丘", "桜ヶ丘", "富士見", "朝日", "昭和町", "末広町", "高砂", "八幡町", "宮前", "清水町", "春日", "日の出町",
    "平和町", "光が丘", "花園", "川原町", "山手", "丸の内", "港町",
];

#[rustfmt::skip]
const COMPANY: &[&str] = &[
    "青空", "旭", "泉", "大空", "北斗", "銀河", "桜", "さつき", "白鳥", "新和", "翠", "太陽", "高砂", "千歳", "東陽", "虹", "白山", "日の出",
    "富士見", "双葉", "北辰", "松風", "三つ葉", "緑", "明星", "山彦", "悠和", "陽光", "若葉", "和光",
];

#[rustfmt::skip]
const COMPANY_ENDS: &[&str] = &[
    "商事", "産業", "工業", "製作所", "システム", "サービス", "物産", "電機", "建設", "食品", "運輸", "設計", "印刷", "企画", "興業",
];

#[rustfmt::skip]
const LOREM: &[&str] = &[
    "これは", "見本の", "文章", "です", "春の", "風が", "静かに", "吹き", "白い", "雲が", "流れる", "川の", "水は", "澄んで", "鳥の", "声が",
    "聞こえる", "夏の", "空は", "青く", "秋の", "山は", "赤い", "冬の", "朝は", "寒い", "古い", "道を", "歩く", "町の", "灯りが", "見える",
    "新しい", "本を", "読む", "花が", "咲く", "夜の", "星が", "光る", "海は", "広い", "森の", "中で", "休む", "雨の", "日は", "家に", "いる",
    "電車に", "乗る", "遠い", "村へ", "行く",
];

pub(super) static DICTIONARY: Dictionary = Dictionary {
    female: FEMALE,
    male: MALE,
    family: FAMILY,
    cities: CITIES,
    streets: STREETS,
    company: COMPANY,
    company_ends: COMPANY_ENDS,
    lorem: LOREM,
};
