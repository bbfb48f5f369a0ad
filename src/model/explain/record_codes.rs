//! What the codes mean that turn away a record.

use super::Owner::{Operator, Sender};
use super::Words;

pub(super) const FIELD_MISSING: Words = Words {
    meaning: "A field that this record needs is empty or absent.",
    cause: "The export left the value out, or the action needs a field that others do not.",
    remedy: "Fill in the field and send the record again.",
    owner: Sender,
};

pub(super) const FIELD_INVALID: Words = Words {
    meaning: "A field holds a value that is not allowed there.",
    cause: "The value has a wrong form or is not one of those allowed, or the field must be empty with this action.",
    remedy: "Correct the field as the description says and send the record again.",
    owner: Sender,
};

pub(super) const RECORD_CRYPTO_ERROR: Words = Words {
    meaning: "The record's sealed card could not be decrypted.",
    cause: "The card was sealed for another key or with another algorithm than agreed, or was damaged.",
    remedy: "Seal the card afresh for the current public key and send the record again; where every record of a file fails \
             so, ask the operator, who has been called, for which key and how to seal.",
    owner: Sender,
};

pub(super) const PAN_MANGLED: Words = Words {
    meaning: "The PAN is in scientific notation.",
    cause: "The file went through a spreadsheet, which took the PAN for a number and lost its last digits.",
    remedy: "Export the PAN as text from its source, without a spreadsheet, and send the record again.",
    owner: Sender,
};

pub(super) const PAN_FORMAT: Words = Words {
    meaning: "The PAN holds something other than digits.",
    cause: "The PAN was written with spaces or dashes, masked, or replaced by a token.",
    remedy: "Send the record again with the PAN in full and in digits alone.",
    owner: Sender,
};

pub(super) const PAN_LENGTH: Words = Words {
    meaning: "The PAN has a number of digits that the service does not take: payment-cards takes 16, the others 11 to 19.",
    cause: "Digits were lost, often leading zeros, or the value is not a PAN.",
    remedy: "Send the record again with the PAN in full.",
    owner: Sender,
};

pub(super) const PAN_LUHN: Words = Words {
    meaning: "The PAN's check digit does not fit its other digits (Luhn).",
    cause: "A digit is wrong or two are exchanged, or a spreadsheet rounded the last digits to zeros.",
    remedy: "Correct the PAN from its source and send the record again.",
    owner: Sender,
};

pub(super) const BIN_UNSUPPORTED: Words = Words {
    meaning: "The PAN lies in none of the account ranges that the issuer has for this service.",
    cause: "The card is another issuer's, or its range is not yet in the reference data.",
    remedy: "Add the range to account_ranges.csv if it is the issuer's and have the record sent again; else the record \
             does not belong in the file.",
    owner: Operator,
};

pub(super) const DUPLICATE_IN_FILE: Words = Words {
    meaning: "An earlier record of the same file already did what this one asks for.",
    cause: "The export lists the same card twice.",
    remedy: "Do nothing: the earlier record stands.",
    owner: Sender,
};

pub(super) const ALREADY_REGISTERED: Words = Words {
    meaning: "What the record asks to register is registered already, and nothing was changed.",
    cause: "The card was sent before and has not been deleted since.",
    remedy: "Do nothing: the earlier registration stands.",
    owner: Sender,
};

pub(super) const PAN_RETIRED: Words = Words {
    meaning: "The PAN was deleted from this service, and a deleted PAN is never taken again.",
    cause: "The card was deleted earlier and sent once more.",
    remedy: "Take the record out; register the card's replacement under its own PAN.",
    owner: Sender,
};

pub(super) const REQUEST_SIZE: Words = Words {
    meaning: "The request holds no card or more than 100 of them.",
    cause: "The request was not cut as the API asks for.",
    remedy: "Cut the request into requests of 1 to 100 cards and send its records again.",
    owner: Sender,
};

pub(super) const CURRENCY_INVALID: Words = Words {
    meaning: "The currency is not an active ISO 4217 code of three letters.",
    cause: "The currency was written as a name, a number or a symbol, is misspelt, or is no longer in use.",
    remedy: "Correct the currency and send the record again.",
    owner: Sender,
};

pub(super) const CURRENCY_UNSUPPORTED: Words = Words {
    meaning: "The currency exists, but is not among those allowed for this issuer.",
    cause: "The record names another currency than agreed, or an agreed one is not yet in the configuration.",
    remedy: "Send the record again with an agreed currency, or have the operator allow this one first.",
    owner: Sender,
};

pub(super) const NOT_REGISTERED: Words = Words {
    meaning: "What the record asks to delete is not registered for this issuer.",
    cause: "It was deleted before, was never registered, or is named by a wrong id.",
    remedy: "Do nothing if it is meant to be gone; otherwise correct the id and send the record again.",
    owner: Sender,
};

pub(super) const LIST_UNKNOWN: Words = Words {
    meaning: "The issuer has no PAN list with this id.",
    cause: "The id is mistyped, or belongs to another issuer or environment.",
    remedy: "Use the id that a report gave when the list was made, and send the request again.",
    owner: Sender,
};

pub(super) const LIST_NAME_INVALID: Words = Words {
    meaning: "The list's name is not 1 to 64 letters, digits, spaces or dashes.",
    cause: "The name is too long or holds another character.",
    remedy: "Correct the name and send the request again.",
    owner: Sender,
};

pub(super) const PANS_OR_RANGE_MISSING: Words = Words {
    meaning: "The request makes a new list, but has neither PANs nor an account range.",
    cause: "The export left both out.",
    remedy: "Add PANs or an account range and send the request again.",
    owner: Sender,
};

pub(super) const PANS_MISSING: Words = Words {
    meaning: "The request changes an existing list, but has no PANs.",
    cause: "The export left them out, or a new list was meant and an id was given.",
    remedy: "Add at least one PAN, or name a new list, and send the request again.",
    owner: Sender,
};

pub(super) const RANGE_INVALID: Words = Words {
    meaning: "A bound of the account range is not 11 to 19 digits, or the low bound is above the high one.",
    cause: "A bound was cut or mistyped, or the two were exchanged.",
    remedy: "Correct the account range and send the request again.",
    owner: Sender,
};

pub(super) const RANGE_UNKNOWN: Words = Words {
    meaning: "The account range is not inside one that the issuer owns for this service, or is not the existing list's own.",
    cause: "The range is another issuer's or another list's, or is not yet in the reference data.",
    remedy: "Send the request again with a range of the issuer or the list's own, or have the operator add the range first.",
    owner: Sender,
};

pub(super) const PAN_OUT_OF_RANGE: Words = Words {
    meaning: "The PAN lies outside the list's account range, or no range of the issuer holds a PAN of the request.",
    cause: "PANs of different ranges were put into one list, or the range is not yet in the reference data.",
    remedy: "Put the PAN into a list whose account range holds it, and send the record again.",
    owner: Sender,
};

pub(super) const ALREADY_IN_LIST: Words = Words {
    meaning: "The PAN is in this list already, and nothing was changed.",
    cause: "The PAN was sent for this list before and has not been taken out since.",
    remedy: "Do nothing: the PAN is where it is meant to be.",
    owner: Sender,
};

pub(super) const NOT_IN_LIST: Words = Words {
    meaning: "The PAN is not in this list, but in another list of the issuer.",
    cause: "The request names the wrong list, or the PAN was taken out of this one before.",
    remedy: "Do nothing if the PAN is meant to be out of this list; otherwise send the request for the list that holds it.",
    owner: Sender,
};

pub(super) const EXPIRY_INVALID: Words = Words {
    meaning: "The expiry is not a month and a year written MMYY.",
    cause: "Year and month were exchanged, a leading zero was lost, or another notation was used.",
    remedy: "Write the expiry as MMYY and send the record again.",
    owner: Sender,
};

pub(super) const CARD_EXPIRED: Words = Words {
    meaning: "The card's expiry month was over when the file was received.",
    cause: "The card was sent too late, or with the expiry of the card it replaces.",
    remedy: "Send the record again with the current card.",
    owner: Sender,
};

pub(super) const CARD_ID_DERIVED: Words = Words {
    meaning: "The card id is the PAN, holds much of it, or is a hash of it.",
    cause: "The sender makes card ids from PANs, and such an id gives the PAN away.",
    remedy: "Give the card an id that has nothing to do with its PAN, and send the record again.",
    owner: Sender,
};

pub(super) const CARD_ID_IN_USE: Words = Words {
    meaning: "The id already belongs to another card or another consumer.",
    cause: "One id was given to two cards, or a replaced card was sent under its old id.",
    remedy: "Give the card an id of its own and send the record again.",
    owner: Sender,
};

pub(super) const PRODUCT_UNKNOWN: Words = Words {
    meaning: "The issuer has no card product with this id.",
    cause: "The id is mistyped, or the product is not yet in the reference data.",
    remedy: "Add the product to card_products.csv if it is the issuer's and have the record sent again; else have the id \
             corrected.",
    owner: Operator,
};

pub(super) const EVENT_IGNORED: Words = Words {
    meaning: "The record reports a tokenization that did not succeed, so there is nothing to register.",
    cause: "Its event_status is something other than SUCCESS.",
    remedy: "Do nothing: a later tokenization that succeeds is sent as a record of its own.",
    owner: Sender,
};

pub(super) const CONTRACT_UNKNOWN: Words = Words {
    meaning: "The issuer has no card contract with this id.",
    cause: "The id is mistyped, or the contract's file has not come or was not taken.",
    remedy: "Send the contract in a card-contracts file, or correct the id, and then send the record again.",
    owner: Sender,
};

pub(super) const CONTRACT_INACTIVE: Words = Words {
    meaning: "The card contract is not ACTIVE.",
    cause: "The last card-contracts file that named it says INACTIVE, BLOCKED or CLOSED.",
    remedy: "Send the record again once the contract is ACTIVE.",
    owner: Sender,
};

pub(super) const PRODUCT_INELIGIBLE: Words = Words {
    meaning: "The card's product may not be tokenized.",
    cause: "The reference data does not have the product down as eligible for tokenization.",
    remedy: "Mark the product as eligible in card_products.csv if it is and have the record sent again; else the card \
             cannot be enrolled.",
    owner: Operator,
};

pub(super) const ALREADY_ENROLLED: Words = Words {
    meaning: "The consumer has this card enrolled already, and nothing was changed.",
    cause: "The card was sent for this consumer before.",
    remedy: "Do nothing: the earlier enrolment stands.",
    owner: Sender,
};
