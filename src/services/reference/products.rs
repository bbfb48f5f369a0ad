//! `card_products.csv`: which card products an issuer has.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::table::{self, Mistake, check_issuer, is_made_of};

const COLUMNS: [&str; 4] = ["issuer", "card_product_id", "scheme", "tokenization_eligible"];

/// The card products of all issuers.
#[derive(Clone, Debug, Default)]
pub struct CardProducts {
    issuers: BTreeMap<String, IssuerProducts>,
}

/// What is known of a card product.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CardProduct {
    /// The scheme's name, as given.
    pub scheme: String,
    /// Whether its cards may be tokenized.
    pub tokenization_eligible: bool,
}

/// One issuer's card products; shares what it refers to.
#[derive(Clone, Debug, Default)]
pub struct IssuerProducts {
    products: Arc<BTreeMap<String, CardProduct>>,
}

impl CardProducts {
    /// Reads and checks the whole file.
    pub fn parse(csv: &[u8]) -> Result<Self, Vec<Mistake>> {
        let (rows, mut mistakes) = table::read(csv, COLUMNS);
        let mut lines: HashMap<(String, String), u64> = HashMap::new();
        let mut issuers: BTreeMap<String, BTreeMap<String, CardProduct>> = BTreeMap::new();
        for table::Row { line, cells: [issuer, id, scheme, eligible] } in rows {
            mistakes.extend(check_issuer(line, &issuer));
            let mut wrong = |column, sentence: String| mistakes.push(Mistake::new(line, Some(column), sentence));
            if !is_made_of(&id, 1..=48, |byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte)) {
                wrong(
                    "card_product_id",
                    "The id is malformed; expected are 1 to 48 letters, digits, _ or -.".to_owned(),
                );
            }
            if !is_made_of(&scheme, 1..=32, |byte| byte.is_ascii_alphanumeric() || b" _-".contains(&byte)) {
                wrong(
                    "scheme",
                    "The name is malformed; expected are 1 to 32 letters, digits, spaces, _ or -.".to_owned(),
                );
            }
            let tokenization_eligible = match eligible.as_str() {
                "true" => true,
                "false" => false,
                _ => {
                    wrong("tokenization_eligible", "The value is malformed; expected is true or false.".to_owned());
                    false
                }
            };
            match lines.get(&(issuer.clone(), id.clone())) {
                Some(first) => wrong("card_product_id", format!("The product is that of line {first} again.")),
                None => {
                    lines.insert((issuer.clone(), id.clone()), line);
                    issuers.entry(issuer).or_default().insert(id, CardProduct { scheme, tokenization_eligible });
                }
            }
        }
        if !mistakes.is_empty() {
            mistakes.sort_by_key(|mistake| mistake.line);
            return Err(mistakes);
        }
        let shared = |(issuer, products)| (issuer, IssuerProducts { products: Arc::new(products) });
        Ok(Self { issuers: issuers.into_iter().map(shared).collect() })
    }

    /// The issuers that have a product, each once, in alphabetical order.
    pub fn issuers(&self) -> impl Iterator<Item = &str> {
        self.issuers.keys().map(String::as_str)
    }

    /// An issuer's products; shares what it refers to, so that each worker may have its own.
    pub fn for_issuer(&self, issuer: &str) -> IssuerProducts {
        self.issuers.get(issuer).cloned().unwrap_or_default()
    }
}

impl IssuerProducts {
    /// What is known of a product; `None` if it is not the issuer's.
    pub fn get(&self, id: &str) -> Option<&CardProduct> {
        self.products.get(id)
    }

    /// All of them with their ids, in alphabetical order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &CardProduct)> {
        self.products.iter().map(|(id, product)| (id.as_str(), product))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_each_issuers_products() {
        let csv = b"issuer,card_product_id,scheme,tokenization_eligible\r\nACME,gold-1,MASTERCARD,true\r\nACME,plain,VISA,false\r\nOTHER,gold-1,VISA,false\r\n";
        let products = CardProducts::parse(csv).unwrap();
        assert_eq!(products.issuers().collect::<Vec<_>>(), ["ACME", "OTHER"]);
        let acme = products.for_issuer("ACME");
        assert_eq!(acme.get("gold-1"), Some(&CardProduct { scheme: "MASTERCARD".into(), tokenization_eligible: true }));
        assert_eq!(acme.iter().map(|(id, _)| id).collect::<Vec<_>>(), ["gold-1", "plain"]);
        assert!(!products.for_issuer("OTHER").get("gold-1").unwrap().tokenization_eligible);
        assert_eq!(acme.get("silver"), None);
        assert_eq!(products.for_issuer("NONE").get("gold-1"), None);
    }

    #[test]
    fn reports_all_mistakes_at_once() {
        let csv = b"card_product_id,issuer,scheme,tokenization_eligible\ngold 1,acme,MC,true\ngold,ACME,,yes\ngold,ACME,MC,true\nshort\n";
        let mistakes = CardProducts::parse(csv).unwrap_err();
        let found: Vec<_> = mistakes.iter().map(|mistake| (mistake.line, mistake.column.unwrap_or_default())).collect();
        assert_eq!(
            found,
            [
                (2, "issuer"),
                (2, "card_product_id"),
                (3, "scheme"),
                (3, "tokenization_eligible"),
                (4, "card_product_id"),
                (5, ""),
            ]
        );
        assert_eq!(mistakes[4].to_string(), "line 4, column card_product_id: The product is that of line 3 again.");
    }

    #[test]
    fn wants_its_column_line() {
        for csv in [&b""[..], b"\xEF\xBB\xBF", b"issuer,card_product_id,scheme\n", b"ACME,gold,MC,true\n"] {
            assert_eq!(CardProducts::parse(csv).unwrap_err().len(), 1, "{csv:?}");
        }
        let empty = b"\xEF\xBB\xBFissuer,card_product_id,scheme,tokenization_eligible";
        assert_eq!(CardProducts::parse(empty).unwrap().issuers().count(), 0);
    }
}
